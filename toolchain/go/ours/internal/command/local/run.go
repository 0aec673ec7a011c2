package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/gobwas/glob"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi-go-provider/infer/types"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/archive"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/asset"

	"openclaw-kasm.local/toolchain/ours/internal/child"
	"openclaw-kasm.local/toolchain/ours/internal/command/output"
)

// Run is the function command:local:run, which runs a command at each preview and update.
type Run struct{}

// Annotate describes the function.
func (r *Run) Annotate(a infer.Annotator) {
	a.Describe(&r, "Runs a command on the machine where Pulumi runs, at every preview and update.")
}

// RunArgs are the inputs of Run.
type RunArgs struct {
	Inputs

	Command string `pulumi:"command"`
}

// Annotate describes the inputs.
func (args *RunArgs) Annotate(a infer.Annotator) {
	a.Describe(&args.Command, "The command.")
}

// RunResult is the result of Run.
type RunResult struct {
	RunArgs
	Outputs
}

// Invoke runs the command.
func (*Run) Invoke(
	ctx context.Context, req infer.FunctionRequest[RunArgs],
) (infer.FunctionResponse[RunResult], error) {
	result := RunResult{RunArgs: req.Input}
	err := errors.Join(req.Input.Logging.Check(), run(ctx, req.Input.Command, req.Input.Inputs, &result.Outputs))
	return infer.FunctionResponse[RunResult]{Output: result}, err
}

// run runs one command. out holds the output of the run before, which goes into the environment unless the inputs say
// no, and gets that of this run if it succeeds. The end of ctx takes the command and all its children.
func run(ctx context.Context, command string, in Inputs, out *Outputs) error {
	interpreter := []string{"/bin/sh", "-c"}
	if in.Interpreter != nil && len(*in.Interpreter) > 0 {
		interpreter = *in.Interpreter
	}
	dir := "."
	if in.Dir != nil {
		dir = *in.Dir
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	// Else the error would name the interpreter as what is missing.
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("dir: there is no directory %s", dir)
	}

	cmd := child.Group(ctx, interpreter[0], append(append([]string{}, interpreter[1:]...), command)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), environment(in, *out)...)
	if in.Stdin != nil && *in.Stdin != "" {
		cmd.Stdin = strings.NewReader(*in.Stdin)
	}
	capture := output.NewCapture(ctx, in.Logging)
	cmd.Stdout, cmd.Stderr = capture.Stdout, capture.Stderr
	err = child.Run(cmd)
	capture.Close()
	if ctx.Err() != nil {
		return capture.Error(fmt.Errorf("stopped: %w", context.Cause(ctx)), command)
	}
	// A background process that keeps the output open is not waited for; the command itself has ended well.
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return capture.Error(err, command)
	}

	result := Outputs{Stdout: capture.Stdout.String(), Stderr: capture.Stderr.String()}
	if in.AssetPaths != nil {
		assets, err := match(dir, *in.AssetPaths)
		if err != nil {
			return err
		}
		files := make(map[string]types.AssetOrArchive, len(assets))
		for path, found := range assets {
			files[path] = types.AssetOrArchive{Asset: found}
		}
		result.Assets = &files
	}
	if in.ArchivePaths != nil {
		assets, err := match(dir, *in.ArchivePaths)
		if err != nil {
			return err
		}
		content := make(map[string]any, len(assets))
		for path, found := range assets {
			content[path] = found
		}
		packed, err := archive.FromAssets(content)
		if err != nil {
			return err
		}
		result.Archive = &types.AssetOrArchive{Archive: packed}
	}
	*out = result
	return nil
}

func environment(in Inputs, before Outputs) []string {
	var env []string
	if in.Environment != nil {
		for name, value := range *in.Environment {
			env = append(env, name+"="+value)
		}
	}
	if in.AddPreviousOutputInEnv == nil || *in.AddPreviousOutputInEnv {
		if before.Stdout != "" {
			env = append(env, output.StdoutVariable+"="+before.Stdout)
		}
		if before.Stderr != "" {
			env = append(env, output.StderrVariable+"="+before.Stderr)
		}
	}
	return env
}

// match finds the files below dir that the patterns select. They apply in their order, and "!" takes files out again.
func match(dir string, patterns []string) (map[string]*asset.Asset, error) {
	type rule struct {
		glob.Glob
		exclude bool
	}
	rules := make([]rule, len(patterns))
	for i, pattern := range patterns {
		text, exclude := strings.CutPrefix(pattern, "!")
		compiled, err := glob.Compile(text, '/')
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", pattern, err)
		}
		rules[i] = rule{compiled, exclude}
	}
	found := map[string]*asset.Asset{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		selected := false
		for _, r := range rules {
			if r.Match(path) {
				selected = !r.exclude
			}
		}
		if !selected {
			return nil
		}
		found[path], err = asset.FromPath(filepath.Join(dir, path))
		return err
	})
	return found, err
}
