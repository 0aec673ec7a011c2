// Package shim opens the Docker provider of the upstream project, which keeps it in an internal package.
package shim

import (
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"

	"github.com/terraform-providers/terraform-provider-docker/internal/provider"
)

// Provider returns the upstream provider; version is what it reports to Docker as its own.
func Provider(version string) *schema.Provider {
	return provider.New(version)()
}
