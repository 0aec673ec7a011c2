// Command pulumi-resource-command is the command plugin.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"openclaw-kasm.local/toolchain/ours/internal/command"
)

func main() {
	os.Args = quiet(os.Args)
	if err := command.New().Run(context.Background(), command.Name, command.Version); err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-resource-command:", err)
		os.Exit(1)
	}
}

// quiet leaves out the flags that make Pulumi's library log: it writes down every property that comes or goes, secrets
// included.
func quiet(args []string) []string {
	var kept []string
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-v=") && !strings.HasPrefix(arg, "--v=") && arg != "--logtostderr" {
			kept = append(kept, arg)
		}
	}
	return kept
}
