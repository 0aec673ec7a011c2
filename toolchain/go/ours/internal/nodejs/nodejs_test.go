package nodejs

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/structpb"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// project returns a program that has the given JavaScript as its SDK scripts.
func project(t *testing.T, scripts map[string]string) *pulumirpc.ProgramInfo {
	t.Helper()
	dir := t.TempDir()
	for name, content := range scripts {
		write(t, filepath.Join(dir, "node_modules", sdk, "cmd", name, "index.js"), content)
	}
	return &pulumirpc.ProgramInfo{RootDirectory: dir, ProgramDirectory: dir, EntryPoint: "index.ts"}
}

func withOptions(t *testing.T, info *pulumirpc.ProgramInfo, options map[string]any) *pulumirpc.ProgramInfo {
	t.Helper()
	var err error
	if info.Options, err = structpb.NewStruct(options); err != nil {
		t.Fatal(err)
	}
	return info
}

func needNode(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("there is no node")
	}
}

func TestRequiredPackages(t *testing.T) {
	root := t.TempDir()
	for path, content := range map[string]string{
		"@pulumi/docker":                    `{"name":"@pulumi/docker","version":"5.2.0","pulumi":{"resource":true,"name":"docker","version":"5.2.0"}}`,
		"@pulumi/random":                    `{"name":"@pulumi/random","version":"4.21.2","pulumi":{"resource":true}}`,
		"@me/thing":                         `{"name":"@me/thing","version":"v1.0.0","pulumi":{"resource":true,"server":"https://example.com"}}`,
		"@pulumi/pulumi":                    `{"name":"@pulumi/pulumi","version":"3.248.0","pulumi":{"comment":"no plugin"}}`,
		"plain":                             `{"name":"plain","version":"1.0.0"}`,
		"odd":                               `{"name":"odd","version":"1.0.0","pulumi":true}`,
		"broken":                            `{`,
		"plain/node_modules/nested":         `{"name":"nested","version":"2.0.0","pulumi":{"resource":true}}`,
		".cache/ignored":                    `{"name":"ignored","version":"1.0.0","pulumi":{"resource":true}}`,
		"shared":                            `{"name":"shared","version":"1.0.0","pulumi":{"resource":true,"parameterization":{"name":"p","version":"0.1.0","value":"aGk="}}}`,
		"plain/node_modules/@pulumi/docker": `{"name":"@pulumi/docker","version":"5.2.0","pulumi":{"resource":true}}`,
	} {
		write(t, filepath.Join(root, "node_modules", path, "package.json"), content)
	}
	host := NewHost(context.Background(), "", "")
	resp, err := host.GetRequiredPackages(context.Background(), &pulumirpc.GetRequiredPackagesRequest{
		Info: &pulumirpc.ProgramInfo{ProgramDirectory: filepath.Join(root, "program")},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range resp.Packages {
		line := p.Kind + " " + p.Name + " " + p.Version + " " + p.Server
		if p.Parameterization != nil {
			line += p.Parameterization.Name + "=" + string(p.Parameterization.Value)
		}
		got = append(got, strings.TrimSpace(line))
	}
	want := []string{
		"resource docker v5.2.0", "resource me-thing v1.0.0 https://example.com", "resource nested v2.0.0",
		"resource random v4.21.2", "resource shared v1.0.0 p=hi",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, expected %q", got, want)
	}
}

func TestProgramDependencies(t *testing.T) {
	info := project(t, nil)
	modules := filepath.Join(info.ProgramDirectory, "node_modules")
	write(t, filepath.Join(info.ProgramDirectory, "package.json"), `{"dependencies":{"a":"^1"},"devDependencies":{"b":"*"}}`)
	write(t, filepath.Join(modules, "a", "package.json"), `{"name":"a","version":"1.2.3"}`)
	write(t, filepath.Join(modules, "b", "package.json"), `{"name":"b","version":"2.0.0"}`)
	write(t, filepath.Join(modules, "c", "package.json"), `{"name":"c","version":"3.0.0"}`)
	for transitive, want := range map[bool]string{false: "a 1.2.3,b 2.0.0", true: "a 1.2.3,b 2.0.0,c 3.0.0"} {
		resp, err := NewHost(context.Background(), "", "").GetProgramDependencies(context.Background(),
			&pulumirpc.GetProgramDependenciesRequest{Info: info, TransitiveDependencies: transitive})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range resp.Dependencies {
			got = append(got, d.Name+" "+d.Version)
		}
		if strings.Join(got, ",") != want {
			t.Errorf("transitive %v: got %q, expected %q", transitive, got, want)
		}
	}
}

func TestFindScript(t *testing.T) {
	info := project(t, map[string]string{"run": ""})
	below := filepath.Join(info.ProgramDirectory, "a", "b")
	if got, err := FindScript(below, "run"); err != nil || !strings.HasPrefix(got, info.ProgramDirectory) {
		t.Errorf("got %q, %v", got, err)
	}
	_, err := FindScript(below, "other")
	if err == nil || !strings.Contains(err.Error(), "Cannot find module '@pulumi/pulumi/cmd/other'") {
		t.Errorf("got %v", err)
	}
}

func TestOptions(t *testing.T) {
	for _, test := range []struct {
		name    string
		options map[string]any
		want    options
		err     string
	}{
		{"none", nil, options{typescript: true, packagemanager: "npm"}, ""},
		{"all", map[string]any{
			"typescript": false, "nodeargs": `--import tsx --title "a b"`, "tsconfig": "ts.json", "packagemanager": "pnpm",
		}, options{false, []string{"--import", "tsx", "--title", "a b"}, "ts.json", "pnpm"}, ""},
		{"a later one", map[string]any{"new": 1}, options{typescript: true, packagemanager: "npm"}, ""},
		{"typescript", map[string]any{"typescript": "yes"}, options{}, "runtime option typescript"},
		{"nodeargs", map[string]any{"nodeargs": `"open`}, options{}, "runtime option nodeargs"},
		{"package manager", map[string]any{"packagemanager": "x"}, options{}, "expected npm, pnpm or yarn"},
	} {
		t.Run(test.name, func(t *testing.T) {
			raw, err := structpb.NewStruct(test.options)
			if err != nil {
				t.Fatal(err)
			}
			got, err := readOptions(raw)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("expected %q, got %v", test.err, err)
				}
				return
			}
			if err != nil || got.typescript != test.want.typescript || got.tsconfig != test.want.tsconfig ||
				got.packagemanager != test.want.packagemanager || !slices.Equal(got.nodeargs, test.want.nodeargs) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// show is a run script that writes down how it was called.
const show = `require("fs").writeFileSync(process.env.SHOW, JSON.stringify({ argv: process.argv.slice(2), cwd: process.cwd(),
execArgv: process.execArgv, env: process.env }));`

func TestRunPassesEverythingOn(t *testing.T) {
	needNode(t)
	info := withOptions(t, project(t, map[string]string{"run": show}), map[string]any{
		"typescript": false, "nodeargs": "--no-warnings", "tsconfig": "ts.json",
	})
	file := filepath.Join(t.TempDir(), "call.json")
	t.Setenv("SHOW", file)
	resp, err := NewHost(context.Background(), "engine:1", "trace:1").Run(context.Background(), &pulumirpc.RunRequest{
		Info: info, Pwd: info.ProgramDirectory, Project: "p", Stack: "s", Organization: "o", MonitorAddress: "monitor:1",
		DryRun: true, Parallel: 4, Args: []string{"x"},
		Config: map[string]string{"p:key": "value"}, ConfigSecretKeys: []string{"p:key"},
	})
	if err != nil || resp.Error != "" || resp.Bail {
		t.Fatalf("got %v, %v", resp, err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var call struct {
		Argv, ExecArgv []string
		Cwd            string
		Env            map[string]string
	}
	if err := json.Unmarshal(text, &call); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"--monitor", "monitor:1", "--engine", "engine:1", "--organization", "o", "--project", "p", "--root-directory",
		info.RootDirectory, "--stack", "s", "--pwd", info.ProgramDirectory, "--dry-run", "--parallel", "4", "--tracing",
		"trace:1", "index.ts", "x",
	}
	if !slices.Equal(call.Argv, want) {
		t.Errorf("arguments are %q", call.Argv)
	}
	if !slices.Equal(call.ExecArgv, []string{"--no-warnings"}) {
		t.Errorf("node's own arguments are %q", call.ExecArgv)
	}
	for name, value := range map[string]string{
		"PULUMI_CONFIG": `{"p:config:key":"value"}`, "PULUMI_CONFIG_SECRET_KEYS": `["p:config:key"]`,
		"PULUMI_NODEJS_TYPESCRIPT": "false", "PULUMI_NODEJS_TSCONFIG_PATH": "ts.json",
	} {
		if call.Env[name] != value {
			t.Errorf("%s is %q", name, call.Env[name])
		}
	}
}

func TestRunResults(t *testing.T) {
	needNode(t)
	for _, test := range []struct {
		name, script, err string
		bail              bool
	}{
		{"success", ``, "", false},
		{"failure", `process.exit(3)`, "Program exited with non-zero exit code: 3", false},
		{"reported failure", `process.exit(32)`, "", true},
		{"killed", `process.kill(process.pid, "SIGKILL")`, "Program exited unexpectedly: signal: killed", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			info := project(t, map[string]string{"run": test.script})
			resp, err := NewHost(context.Background(), "", "").Run(context.Background(),
				&pulumirpc.RunRequest{Info: info, Pwd: info.ProgramDirectory})
			if err != nil || resp.Error != test.err || resp.Bail != test.bail {
				t.Errorf("got %v, %v", resp, err)
			}
		})
	}
}

func TestRunWithoutSDK(t *testing.T) {
	info := project(t, nil)
	_, err := NewHost(context.Background(), "", "").Run(context.Background(), &pulumirpc.RunRequest{Info: info})
	if err == nil || !strings.Contains(err.Error(), "run npm install") {
		t.Errorf("got %v", err)
	}
}

// TestProgramEndsWith covers both ways to stop a program: the engine cancels the call, or the host is told to end.
func TestProgramEndsWith(t *testing.T) {
	needNode(t)
	for _, which := range []string{"call", "host"} {
		t.Run(which, func(t *testing.T) {
			info := project(t, map[string]string{
				"run": `const fs = require("fs"), fd = fs.openSync("lifeline", "w");
					setTimeout(() => fs.writeSync(fd, "survived"), 60000)`,
			})
			line := filepath.Join(info.ProgramDirectory, "lifeline")
			if err := syscall.Mkfifo(line, 0o600); err != nil {
				t.Fatal(err)
			}
			call, cancelCall := context.WithCancel(context.Background())
			host, cancelHost := context.WithCancel(context.Background())
			defer cancelCall()
			defer cancelHost()
			done := make(chan *pulumirpc.RunResponse)
			go func() {
				resp, err := NewHost(host, "", "").Run(call, &pulumirpc.RunRequest{Info: info, Pwd: info.ProgramDirectory})
				if err != nil {
					t.Error(err)
				}
				done <- resp
			}()
			// It opens when the program has, and ends with the program.
			program, err := os.Open(line)
			if err != nil {
				t.Fatal(err)
			}
			defer program.Close()
			if which == "call" {
				cancelCall()
			} else {
				cancelHost()
			}
			if resp := <-done; !strings.Contains(resp.Error, "stopped") {
				t.Errorf("got %v", resp)
			}
			if written, err := io.ReadAll(program); err != nil || len(written) > 0 {
				t.Errorf("the program went on: %q, %v", written, err)
			}
		})
	}
}

// outputs collects what RunPlugin and InstallDependencies send.
type outputs struct {
	grpc.ServerStream
	stdout, stderr string
	code           int32
}

func (o *outputs) Context() context.Context { return context.Background() }

func (o *outputs) Send(resp *pulumirpc.RunPluginResponse) error {
	o.stdout += string(resp.GetStdout())
	o.stderr += string(resp.GetStderr())
	o.code += resp.GetExitcode()
	return nil
}

func TestRunPlugin(t *testing.T) {
	needNode(t)
	script := `console.log(process.argv.slice(2).join(" "), process.env.EXTRA); console.error(process.cwd()); process.exit(4)`
	info := project(t, map[string]string{"run-policy-pack": script, "run-plugin": script})
	elsewhere := t.TempDir()
	for _, test := range []struct{ kind, stdout, cwd string }{
		{"analyzer", "engine:1 " + info.ProgramDirectory + " extra\n", info.ProgramDirectory},
		{"resource", info.ProgramDirectory + " -v=9 engine:1 extra\n", elsewhere},
	} {
		t.Run(test.kind, func(t *testing.T) {
			out := &outputs{}
			err := NewHost(context.Background(), "", "").RunPlugin(&pulumirpc.RunPluginRequest{
				Info: info, Kind: test.kind, Pwd: elsewhere, Args: []string{"-v=9", "engine:1"}, Env: []string{"EXTRA=extra"},
			}, out)
			if err != nil || out.stdout != test.stdout || strings.TrimSpace(out.stderr) != test.cwd || out.code != 4 {
				t.Errorf("got %+v, %v", out, err)
			}
		})
	}
}

func TestPolicyPackWithoutSDK(t *testing.T) {
	out := &outputs{}
	err := NewHost(context.Background(), "", "").RunPlugin(&pulumirpc.RunPluginRequest{
		Info: project(t, nil), Kind: "analyzer",
	}, out)
	// The engine looks for these words.
	if err != nil || out.code != 1 || !strings.Contains(out.stderr, "Cannot find module '@pulumi/pulumi/cmd/run-policy-pack'") {
		t.Errorf("got %+v, %v", out, err)
	}
}

func TestAbout(t *testing.T) {
	needNode(t)
	resp, err := NewHost(context.Background(), "", "").About(context.Background(), &pulumirpc.AboutRequest{})
	if err != nil || !filepath.IsAbs(resp.Executable) || strings.HasPrefix(resp.Version, "v") || resp.Version == "" {
		t.Errorf("got %v, %v", resp, err)
	}
}

func TestPackageManagerPrompt(t *testing.T) {
	host := NewHost(context.Background(), "", "")
	ask := func(options map[string]any) int {
		resp, err := host.RuntimeOptionsPrompts(context.Background(), &pulumirpc.RuntimeOptionsRequest{
			Info: withOptions(t, project(t, nil), options),
		})
		if err != nil {
			t.Fatal(err)
		}
		return len(resp.Prompts)
	}
	if ask(nil) != 1 || ask(map[string]any{"packagemanager": "npm"}) != 0 {
		t.Error("expected a question only when nothing is set")
	}
}
