// Command pulumi-resource-random is the random plugin: the vendor's bridge over the upstream random provider.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	pf "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfgen"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag/colors"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	upstream "github.com/terraform-providers/terraform-provider-random/shim"
)

// version is the SDK's: a program asks for the plugin by the version of its own npm package.
const version = "4.21.2"

func main() {
	ctx := context.Background()
	info := provider()
	schema, err := tfgen.GenerateSchema(ctx, tfgen.GenerateSchemaOptions{
		ProviderInfo:    info,
		DiagnosticsSink: diag.DefaultSink(os.Stderr, os.Stderr, diag.FormatOptions{Color: colors.Never}),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "random plugin: its schema can't be made:", err)
		os.Exit(1)
	}
	pf.Main(ctx, "random", info, pf.ProviderMetadata{
		PackageSchema:  schema.ProviderMetadata.PackageSchema,
		BridgeMetadata: []byte("{}"),
	})
}

// provider maps the upstream's names to those of the npm package @pulumi/random.
func provider() tfbridge.ProviderInfo {
	info := tfbridge.ProviderInfo{
		P:              pf.ShimProvider(upstream.Provider()),
		Name:           "random",
		Version:        version,
		ResourcePrefix: "random",
		MetadataInfo:   tfbridge.NewProviderMetadata([]byte("{}")),
		Resources: map[string]*tfbridge.ResourceInfo{
			// The upstream gives this resource no id.
			"random_bytes": {ComputeID: bytesID},
		},
		EnableAccurateBridgePreview: true,
		EnableRawStateDelta:         true,
	}
	// The npm package says RandomPassword where the upstream says random_password.
	standard := tokens.MakeStandard("random")
	info.MustComputeTokens(tokens.SingleModule("random_", "index", func(module, name string) (string, error) {
		return standard(module, "Random"+name)
	}))
	return info
}

// bytesID makes the value itself the id, as the published plugin does: a program that wants it hidden reads the value.
func bytesID(_ context.Context, state resource.PropertyMap) (resource.ID, error) {
	value := state["base64"]
	if value.IsSecret() {
		value = value.SecretValue().Element
	}
	if !value.IsString() {
		return "", errors.New("random_bytes came back without base64")
	}
	return resource.ID(value.StringValue()), nil
}
