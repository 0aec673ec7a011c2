// Package local runs commands on this machine.
package local

import (
	"context"

	provider "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Command is the resource command:local:Command.
type Command struct{}

// Annotate describes the resource.
func (c *Command) Annotate(a infer.Annotator) {
	a.Describe(&c, "A command on the machine where Pulumi runs. It failed when it ends with another code than zero.")
}

// Inputs are how and where a command runs.
type Inputs struct {
	Interpreter            *[]string          `pulumi:"interpreter,optional"`
	Dir                    *string            `pulumi:"dir,optional"`
	Environment            *map[string]string `pulumi:"environment,optional"`
	Stdin                  *string            `pulumi:"stdin,optional"`
	Logging                *Logging           `pulumi:"logging,optional"`
	AddPreviousOutputInEnv *bool              `pulumi:"addPreviousOutputInEnv,optional"`
}

// Annotate describes the inputs and sets their defaults.
func (in *Inputs) Annotate(a infer.Annotator) {
	a.Describe(&in.Interpreter, `Program and arguments that get the command as last argument; ["/bin/sh", "-c"] by default.`)
	a.Describe(&in.Dir, "Directory to run in, by default the program's. It has to exist.")
	a.Describe(&in.Environment, "Environment variables in addition to Pulumi's own.")
	a.Describe(&in.Stdin, "Standard input of the command.")
	a.Describe(&in.Logging, "Which output is shown while the command runs; both by default.")
	a.Describe(&in.AddPreviousOutputInEnv, "Whether update and delete get the output of the run before in "+
		StdoutVariable+" and "+StderrVariable+".")
	a.SetDefault(&in.AddPreviousOutputInEnv, true)
}

// Outputs are what a local command leaves behind.
type Outputs struct {
	Stdout string `pulumi:"stdout"`
	Stderr string `pulumi:"stderr"`
}

// Annotate describes the outputs.
func (out *Outputs) Annotate(a infer.Annotator) {
	a.Describe(&out.Stdout, "Standard output, without one newline at the end.")
	a.Describe(&out.Stderr, "Standard error, without one newline at the end.")
}

// CommandArgs are the inputs of Command.
type CommandArgs struct {
	Inputs

	Triggers *[]any  `pulumi:"triggers,optional" provider:"replaceOnChanges"`
	Create   *string `pulumi:"create,optional"`
	Update   *string `pulumi:"update,optional"`
	Delete   *string `pulumi:"delete,optional"`
}

// Annotate describes the inputs.
func (args *CommandArgs) Annotate(a infer.Annotator) {
	a.Describe(&args.Triggers, "Any values; a change replaces the resource.")
	a.Describe(&args.Create, "Command for creation, and for changes unless there is update.")
	a.Describe(&args.Update, "Command for changes.")
	a.Describe(&args.Delete, "Command for deletion.")
}

// CommandState is the state of Command: the inputs that it was made with, and the output of its last run.
type CommandState struct {
	CommandArgs
	Outputs
}

var (
	_ infer.CustomCheck[CommandArgs]                        = (*Command)(nil)
	_ infer.CustomUpdate[CommandArgs, CommandState]         = (*Command)(nil)
	_ infer.CustomDelete[CommandState]                      = (*Command)(nil)
	_ infer.ExplicitDependencies[CommandArgs, CommandState] = (*Command)(nil)
)

// WireDependencies makes what a command printed as secret as anything that went into it. Inputs keep their own
// secrecy.
func (*Command) WireDependencies(f infer.FieldSelector, args *CommandArgs, state *CommandState) {
	f.OutputField(&state.Stdout).DependsOn(f.InputField(args).Secret())
	f.OutputField(&state.Stderr).DependsOn(f.InputField(args).Secret())
}

// Check fills in defaults and refuses an unknown kind of logging.
func (*Command) Check(ctx context.Context, req infer.CheckRequest) (infer.CheckResponse[CommandArgs], error) {
	args, failures, err := infer.DefaultCheck[CommandArgs](ctx, req.NewInputs)
	if problem := args.Logging.Check(); problem != nil {
		failures = append(failures, provider.CheckFailure{Property: "logging", Reason: problem.Error()})
	}
	return infer.CheckResponse[CommandArgs]{Inputs: args, Failures: failures}, err
}

// Create runs the create command, if there is one. When it fails, there is no resource, and delete will not run.
func (*Command) Create(
	ctx context.Context, req infer.CreateRequest[CommandArgs],
) (infer.CreateResponse[CommandState], error) {
	state := CommandState{CommandArgs: req.Inputs}
	id, err := resource.NewUniqueHex(req.Name, 8, 0)
	if err == nil && !req.DryRun && req.Inputs.Create != nil {
		err = run(ctx, *req.Inputs.Create, req.Inputs.Inputs, &state.Outputs)
	}
	return infer.CreateResponse[CommandState]{ID: id, Output: state}, err
}

// Update runs the update command, else the create command, on any change. When that fails, the state stays the old
// one.
func (*Command) Update(
	ctx context.Context, req infer.UpdateRequest[CommandArgs, CommandState],
) (infer.UpdateResponse[CommandState], error) {
	state := CommandState{CommandArgs: req.Inputs, Outputs: req.State.Outputs}
	command := req.Inputs.Update
	if command == nil {
		command = req.Inputs.Create
	}
	var err error
	if !req.DryRun && command != nil {
		err = run(ctx, *command, req.Inputs.Inputs, &state.Outputs)
	}
	return infer.UpdateResponse[CommandState]{Output: state}, err
}

// Delete runs the delete command with the inputs in the state.
func (*Command) Delete(ctx context.Context, req infer.DeleteRequest[CommandState]) (infer.DeleteResponse, error) {
	if req.State.Delete == nil {
		return infer.DeleteResponse{}, nil
	}
	return infer.DeleteResponse{}, run(ctx, *req.State.Delete, req.State.Inputs, &req.State.Outputs)
}
