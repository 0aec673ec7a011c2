// Command pulumi-resource-pulumi-nodejs starts the provider of dynamic resources. That provider is part of the npm
// package @pulumi/pulumi of the program in the current directory, and is run with the node on PATH.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"openclaw-kasm.local/toolchain/ours/internal/child"
	"openclaw-kasm.local/toolchain/ours/internal/nodejs"
)

func main() {
	err := launch(os.Args[1:])
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		// An interrupt is how the engine ends its plugins, and nothing to talk about.
		os.Exit(max(exit.ExitCode(), 1))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-resource-pulumi-nodejs:", err)
		os.Exit(1)
	}
}

func launch(args []string) error {
	script, err := nodejs.FindScript(".", "dynamic-provider")
	if err != nil {
		return err
	}
	bin, err := exec.LookPath("node")
	if err != nil {
		return errors.New("there is no node on PATH: install Node.js 20.19 or newer")
	}
	ctx, stop := child.Context()
	defer stop()
	cmd := child.Command(ctx, bin, append([]string{script}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return child.Run(cmd)
}
