// A path below the upstream's own: Go lets only such a package import the upstream's internal ones.
module github.com/terraform-providers/terraform-provider-random/shim

go 1.25.8

require github.com/hashicorp/terraform-plugin-framework v1.19.0
