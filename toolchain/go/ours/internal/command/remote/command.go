package remote

import (
	"context"
	"fmt"
	"strings"
	"time"

	provider "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"golang.org/x/crypto/ssh"

	"openclaw-kasm.local/toolchain/ours/internal/command/output"
)

// grace is how long a command may take to end after it was asked to.
const grace = 2 * time.Second

// Command is the resource command:remote:Command.
type Command struct{}

// Annotate describes the resource.
func (c *Command) Annotate(a infer.Annotator) {
	a.Describe(&c, "A command on another machine, over SSH. It failed when it ends with another code than zero.")
}

// CommandArgs are the inputs of Command.
type CommandArgs struct {
	Connection             *Connection        `pulumi:"connection" provider:"secret"`
	Environment            *map[string]string `pulumi:"environment,optional"`
	Stdin                  *string            `pulumi:"stdin,optional"`
	Logging                *output.Logging    `pulumi:"logging,optional"`
	AddPreviousOutputInEnv *bool              `pulumi:"addPreviousOutputInEnv,optional"`

	Triggers *[]any  `pulumi:"triggers,optional" provider:"replaceOnChanges"`
	Create   *string `pulumi:"create,optional"`
	Update   *string `pulumi:"update,optional"`
	Delete   *string `pulumi:"delete,optional"`
}

// Annotate describes the inputs and sets their defaults.
func (args *CommandArgs) Annotate(a infer.Annotator) {
	a.Describe(&args.Connection, "How to log in.")
	a.Describe(&args.Environment, "Environment variables. The SSH server refuses those that its AcceptEnv doesn't name.")
	a.Describe(&args.Stdin, "Standard input of the command.")
	a.Describe(&args.Logging, "Which output is shown while the command runs; both by default.")
	a.Describe(&args.AddPreviousOutputInEnv, "Whether update and delete get the output of the run before in "+
		output.StdoutVariable+" and "+output.StderrVariable+".")
	a.SetDefault(&args.AddPreviousOutputInEnv, true)
	a.Describe(&args.Triggers, "Any values; a change replaces the resource.")
	a.Describe(&args.Create, "Command for creation, and for changes unless there is update.")
	a.Describe(&args.Update, "Command for changes.")
	a.Describe(&args.Delete, "Command for deletion.")
}

// CommandState is the state of Command: the inputs that it was made with, and the output of its last run.
type CommandState struct {
	CommandArgs

	Stdout string `pulumi:"stdout"`
	Stderr string `pulumi:"stderr"`
}

// Annotate describes the outputs.
func (state *CommandState) Annotate(a infer.Annotator) {
	a.Describe(&state.Stdout, "Standard output, without one newline at the end.")
	a.Describe(&state.Stderr, "Standard error, without one newline at the end.")
}

var (
	_ infer.CustomCheck[CommandArgs]                        = (*Command)(nil)
	_ infer.CustomUpdate[CommandArgs, CommandState]         = (*Command)(nil)
	_ infer.CustomDelete[CommandState]                      = (*Command)(nil)
	_ infer.ExplicitDependencies[CommandArgs, CommandState] = (*Command)(nil)
)

// WireDependencies makes what a command printed as secret as what went into it. The connection, which is always
// secret, does not count: else no output of a remote command could be shown.
func (*Command) WireDependencies(f infer.FieldSelector, args *CommandArgs, state *CommandState) {
	inputs := []infer.InputField{
		f.InputField(&args.Environment).Secret(),
		f.InputField(&args.Stdin).Secret(),
		f.InputField(&args.Triggers).Secret(),
		f.InputField(&args.Create).Secret(),
		f.InputField(&args.Update).Secret(),
		f.InputField(&args.Delete).Secret(),
	}
	f.OutputField(&state.Stdout).DependsOn(inputs...)
	f.OutputField(&state.Stderr).DependsOn(inputs...)
	f.OutputField(&state.Connection).AlwaysSecret()
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
		err = state.run(ctx, *req.Inputs.Create)
	}
	return infer.CreateResponse[CommandState]{ID: id, Output: state}, err
}

// Update runs the update command, else the create command, on any change, that of the connection included. When that
// fails, the state stays the old one.
func (*Command) Update(
	ctx context.Context, req infer.UpdateRequest[CommandArgs, CommandState],
) (infer.UpdateResponse[CommandState], error) {
	state := CommandState{CommandArgs: req.Inputs, Stdout: req.State.Stdout, Stderr: req.State.Stderr}
	command := req.Inputs.Update
	if command == nil {
		command = req.Inputs.Create
	}
	var err error
	if !req.DryRun && command != nil {
		err = state.run(ctx, *command)
	}
	return infer.UpdateResponse[CommandState]{Output: state}, err
}

// Delete runs the delete command with the inputs and over the connection in the state.
func (*Command) Delete(ctx context.Context, req infer.DeleteRequest[CommandState]) (infer.DeleteResponse, error) {
	if req.State.Delete == nil {
		return infer.DeleteResponse{}, nil
	}
	return infer.DeleteResponse{}, req.State.run(ctx, *req.State.Delete)
}

// run runs one command and keeps what it printed if it succeeds. The end of ctx ends the command.
func (state *CommandState) run(ctx context.Context, command string) error {
	client, err := state.Connection.Dial(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		return err
	}
	defer session.Close()

	state.setEnvironment(ctx, session)
	if state.Stdin != nil && *state.Stdin != "" {
		session.Stdin = strings.NewReader(*state.Stdin)
	}
	capture := output.NewCapture(ctx, state.Logging)
	session.Stdout, session.Stderr = capture.Stdout, capture.Stderr
	// A closed connection ends a command only at its next output, so it is asked to end first.
	stop := context.AfterFunc(ctx, func() {
		_ = session.Signal(ssh.SIGTERM)
		time.AfterFunc(grace, func() { _ = client.Client.Close() })
	})
	defer stop()
	err = session.Run(command)
	capture.Close()
	if ctx.Err() != nil {
		return capture.Error(fmt.Errorf("stopped: %w", context.Cause(ctx)), command)
	}
	if err != nil {
		return capture.Error(err, command)
	}
	state.Stdout, state.Stderr = capture.Stdout.String(), capture.Stderr.String()
	return nil
}

// setEnvironment sends the variables. A server that refuses some is worth a warning that names them.
func (state *CommandState) setEnvironment(ctx context.Context, session *ssh.Session) {
	var refused []string
	set := func(name, value string) {
		if err := session.Setenv(name, value); err != nil {
			refused = append(refused, name)
		}
	}
	if state.Environment != nil {
		for name, value := range *state.Environment {
			set(name, value)
		}
	}
	if value(state.AddPreviousOutputInEnv, true) {
		if state.Stdout != "" {
			set(output.StdoutVariable, state.Stdout)
		}
		if state.Stderr != "" {
			set(output.StderrVariable, state.Stderr)
		}
	}
	if len(refused) > 0 {
		provider.GetLogger(ctx).Warningf("The SSH server refused environment variables (%s): it takes only those that "+
			"AcceptEnv names in its configuration. Values can also go into stdin, or before the command as NAME=value.",
			strings.Join(refused, ", "))
	}
}
