// Package shim opens the random provider of the upstream project, which keeps it in an internal package.
package shim

import (
	"github.com/hashicorp/terraform-plugin-framework/provider"

	upstream "github.com/terraform-providers/terraform-provider-random/internal/provider"
)

// Provider returns the upstream provider.
func Provider() provider.Provider {
	return upstream.New()
}
