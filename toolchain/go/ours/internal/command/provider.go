// Package command is the command plugin: it runs commands on this machine as part of a deployment.
package command

import (
	"context"
	"strings"

	provider "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi-go-provider/middleware/schema"

	"openclaw-kasm.local/toolchain/ours/internal/command/local"
)

// Name and Version are those of the npm package @pulumi/command, of which this plugin serves local.Command.
const (
	Name    = "command"
	Version = "1.2.1"
)

// New returns the plugin's provider.
func New() provider.Provider {
	p := infer.Provider(infer.Options{
		Metadata: schema.Metadata{
			DisplayName: "Command",
			Description: "Runs commands as part of a deployment.",
			License:     "Apache-2.0",
		},
		Resources: []infer.InferredResource{infer.Resource(&local.Command{})},
	})
	p.Diff = replaceOnTriggers(p.Diff)
	return p
}

type diff = func(context.Context, provider.DiffRequest) (provider.DiffResponse, error)

// replaceOnTriggers makes a change of a single trigger a replacement. The library compares only whole properties with
// the tag that asks for it, and reports changes by element.
func replaceOnTriggers(inner diff) diff {
	return func(ctx context.Context, req provider.DiffRequest) (provider.DiffResponse, error) {
		resp, err := inner(ctx, req)
		for path, change := range resp.DetailedDiff {
			if path != "triggers" && !strings.HasPrefix(path, "triggers[") {
				continue
			}
			switch change.Kind {
			case provider.Add:
				change.Kind = provider.AddReplace
			case provider.Delete:
				change.Kind = provider.DeleteReplace
			case provider.Update:
				change.Kind = provider.UpdateReplace
			}
			resp.DetailedDiff[path] = change
		}
		return resp, err
	}
}
