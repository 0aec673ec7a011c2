package main

import (
	"context"
	"fmt"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-sdk/v2/terraform"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	upstream "github.com/terraform-providers/terraform-provider-docker/shim"
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

// readNetwork refreshes a network on a Docker that gives an answer, and returns what was logged meanwhile.
func readNetwork(t *testing.T, status int, answer string) (*terraform.InstanceState, string) {
	t.Helper()
	docker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/networks/") {
			w.WriteHeader(status)
			fmt.Fprint(w, answer)
			return
		}
		fmt.Fprint(w, `{"ApiVersion":"1.43"}`)
	}))
	defer docker.Close()
	ctx := context.Background()
	p := upstream.Provider(version)
	host := "tcp://" + docker.Listener.Addr().String()
	if problems := p.Configure(ctx, terraform.NewResourceConfigRaw(map[string]any{"host": host})); problems.HasError() {
		t.Fatal(problems)
	}
	var logged strings.Builder
	log.SetOutput(&logged)
	state, problems := p.ResourcesMap["docker_network"].RefreshWithoutUpgrade(ctx,
		&terraform.InstanceState{ID: "abc", Attributes: map[string]string{"name": "net"}}, p.Meta())
	if problems.HasError() {
		t.Fatal(problems)
	}
	return state, logged.String()
}

func TestARefreshNeitherWaitsNorLogs(t *testing.T) {
	begin := time.Now()
	state, logged := readNetwork(t, http.StatusOK, `{"Name":"net","Id":"abc","Driver":"bridge","Scope":"local"}`)
	if took := time.Since(begin); took > time.Second {
		t.Errorf("took %v", took)
	}
	if state == nil || state.Attributes["driver"] != "bridge" {
		t.Errorf("read %v", state)
	}
	if logged != "" {
		t.Errorf("logged %q", logged)
	}
}

func TestANetworkThatIsGoneIsRead(t *testing.T) {
	if state, _ := readNetwork(t, http.StatusNotFound, `{"message":"no such network"}`); state != nil && state.ID != "" {
		t.Errorf("read %v", state)
	}
}

func TestTheLogIsKeptIfAskedFor(t *testing.T) {
	t.Setenv("TF_LOG", "DEBUG")
	if _, logged := readNetwork(t, http.StatusOK, `{"Name":"net","Id":"abc","Scope":"local"}`); !strings.Contains(logged, "network inspect") {
		t.Errorf("logged %q", logged)
	}
}
