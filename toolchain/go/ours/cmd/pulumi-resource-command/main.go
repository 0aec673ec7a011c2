// Command pulumi-resource-command is the command plugin.
package main

import (
	"context"
	"fmt"
	"os"

	"openclaw-kasm.local/toolchain/ours/internal/command"
)

func main() {
	if err := command.New().Run(context.Background(), command.Name, command.Version); err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-resource-command:", err)
		os.Exit(1)
	}
}
