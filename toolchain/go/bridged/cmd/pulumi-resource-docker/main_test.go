package main

import (
	"maps"
	"slices"
	"testing"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
)

// TestTokens compares with the type tokens in @pulumi/docker. docker.Image is missing: it is the published plugin's own.
func TestTokens(t *testing.T) {
	info := provider()
	var got []string
	for _, r := range info.Resources {
		got = append(got, string(r.Tok))
	}
	slices.Sort(got)
	want := []string{
		"docker:index/buildxBuilder:BuildxBuilder", "docker:index/container:Container", "docker:index/network:Network",
		"docker:index/plugin:Plugin", "docker:index/registryImage:RegistryImage", "docker:index/remoteImage:RemoteImage",
		"docker:index/secret:Secret", "docker:index/service:Service", "docker:index/serviceConfig:ServiceConfig",
		"docker:index/tag:Tag", "docker:index/volume:Volume",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	for _, name := range []string{"getLogs", "getNetwork", "getPlugin", "getRegistryImage", "getRemoteImage"} {
		token := "docker:index/" + name + ":" + name
		if !slices.ContainsFunc(slices.Collect(maps.Values(info.DataSources)), func(d *tfbridge.DataSourceInfo) bool {
			return string(d.Tok) == token
		}) {
			t.Errorf("%s is missing", token)
		}
	}
}

func TestContainerIsDeletedBeforeItsReplacement(t *testing.T) {
	if !provider().Resources["docker_container"].DeleteBeforeReplace {
		t.Error("a replacement would meet its predecessor's name and ports")
	}
}

func TestAnImageIsNeverNamedAutomatically(t *testing.T) {
	if provider().Resources["docker_image"].Fields["name"].Default != nil {
		t.Error("the name says what to pull or build")
	}
	if provider().Resources["docker_network"].Fields["name"].Default == nil {
		t.Error("networks are named automatically")
	}
}
