// Package shim opens the Docker provider of the upstream project, which keeps it in an internal package.
package shim

import (
	"context"
	"io"
	"log"
	"os"
	_ "unsafe" // for go:linkname

	"github.com/docker/docker/client"
	"github.com/hashicorp/terraform-plugin-sdk/v2/diag"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/retry"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"

	"github.com/terraform-providers/terraform-provider-docker/internal/provider"
)

// Provider returns the upstream provider; version is what it reports to Docker as its own.
func Provider(version string) *schema.Provider {
	p := provider.New(version)()
	network := p.ResourcesMap["docker_network"]
	network.ReadContext = readAtOnce(network.ReadContext)
	if os.Getenv("TF_LOG") == "" {
		for _, resource := range p.ResourcesMap {
			resource.CreateContext = quiet(resource.CreateContext)
			resource.ReadContext = quiet(resource.ReadContext)
			resource.UpdateContext = quiet(resource.UpdateContext)
		}
	}
	return p
}

// quiet drops what an operation logs. The upstream logs all that Docker says of a container; the bridge makes a call to
// the engine of each of its lines, three hundred for each refresh, and the engine drops them.
func quiet[F ~func(context.Context, *schema.ResourceData, any) diag.Diagnostics](operation F) F {
	if operation == nil {
		return nil
	}
	return func(ctx context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
		// The bridge sets another output before each call.
		log.SetOutput(io.Discard)
		return operation(ctx, d, meta)
	}
}

//go:linkname refreshNetwork github.com/terraform-providers/terraform-provider-docker/internal/provider.resourceDockerNetworkReadRefreshFunc
func refreshNetwork(context.Context, *schema.ResourceData, any, *client.Client) retry.StateRefreshFunc

// readAtOnce reads a network without the upstream's wait of two seconds, unless Docker does not tell all of it yet.
func readAtOnce(read schema.ReadContextFunc) schema.ReadContextFunc {
	return func(ctx context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
		docker, err := meta.(*provider.ProviderConfig).MakeClient(ctx, d)
		if err != nil {
			return diag.FromErr(err)
		}
		if _, state, err := refreshNetwork(ctx, d, meta, docker)(); err != nil || state == "pending" {
			return read(ctx, d, meta)
		}
		return nil
	}
}
