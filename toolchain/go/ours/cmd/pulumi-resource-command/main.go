// Command pulumi-resource-command is the command plugin.
package main

import (
	"fmt"
	"os"
	"strings"

	"openclaw-kasm.local/toolchain/ours/internal/child"
	"openclaw-kasm.local/toolchain/ours/internal/command"
)

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-resource-command:", err)
		os.Exit(1)
	}
}

func serve() error {
	// Pulumi's library logs every property that comes or goes, secrets included: neither to the output nor to the
	// engine's collector, whatever the verbosity.
	os.Args = withoutLogging(os.Args)
	if err := os.Unsetenv("PULUMI_LOG_OTLP_ENDPOINT"); err != nil {
		return err
	}
	ctx, stop := child.Context()
	defer stop()
	return command.New().Run(ctx, command.Name, command.Version)
}

func withoutLogging(args []string) []string {
	var kept []string
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-v=") && !strings.HasPrefix(arg, "--v=") && arg != "--logtostderr" {
			kept = append(kept, arg)
		}
	}
	return kept
}
