package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"openclaw-kasm.local/toolchain/ours/internal/child"
)

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
	capture := NewCapture(ctx, in.Logging)
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

	*out = Outputs{Stdout: capture.Stdout.String(), Stderr: capture.Stderr.String()}
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
			env = append(env, StdoutVariable+"="+before.Stdout)
		}
		if before.Stderr != "" {
			env = append(env, StderrVariable+"="+before.Stderr)
		}
	}
	return env
}
