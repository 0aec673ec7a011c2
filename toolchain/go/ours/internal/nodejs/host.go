package nodejs

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"openclaw-kasm.local/toolchain/ours/internal/child"
)

// Version is what the language host reports: it behaves as the one that ships with this CLI.
const Version = "3.250.0"

// Host serves the engine's LanguageRuntime for Node.js. Generating code and SDKs is not part of it: the calls for that
// answer "unimplemented".
type Host struct {
	pulumirpc.UnimplementedLanguageRuntimeServer

	ctx             context.Context
	engine, tracing string
}

// NewHost returns a host that ends its programs with ctx. The engine's address may be empty until its handshake.
func NewHost(ctx context.Context, engine, tracing string) *Host {
	return &Host{ctx: ctx, engine: engine, tracing: tracing}
}

// Handshake learns the engine's address when the engine attached to a host that was there already.
func (h *Host) Handshake(
	_ context.Context, req *pulumirpc.LanguageHandshakeRequest,
) (*pulumirpc.LanguageHandshakeResponse, error) {
	h.engine = req.GetEngineAddress()
	return &pulumirpc.LanguageHandshakeResponse{}, nil
}

// GetPluginInfo reports the host's version.
func (h *Host) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: Version}, nil
}

// GetRequiredPackages lists the plugins that the program's installed npm packages ask for.
func (h *Host) GetRequiredPackages(
	_ context.Context, req *pulumirpc.GetRequiredPackagesRequest,
) (*pulumirpc.GetRequiredPackagesResponse, error) {
	plugins, err := requiredPlugins(req.GetInfo().GetProgramDirectory())
	if err != nil {
		return nil, err
	}
	resp := &pulumirpc.GetRequiredPackagesResponse{}
	for _, p := range plugins {
		dep := &pulumirpc.PackageDependency{Name: p.name, Kind: "resource", Version: p.version, Server: p.server}
		if p.parameterization != nil {
			dep.Parameterization = &pulumirpc.PackageParameterization{
				Name:    p.parameterization.Name,
				Version: p.parameterization.Version,
				Value:   p.parameterization.Value,
			}
		}
		resp.Packages = append(resp.Packages, dep)
	}
	return resp, nil
}

// GetRequiredPlugins is the older form of GetRequiredPackages.
func (h *Host) GetRequiredPlugins(
	_ context.Context, req *pulumirpc.GetRequiredPluginsRequest,
) (*pulumirpc.GetRequiredPluginsResponse, error) {
	_, dir, _ := program(req.GetInfo(), req.GetPwd(), req.GetProgram()) //nolint:staticcheck // older engines
	plugins, err := requiredPlugins(dir)
	if err != nil {
		return nil, err
	}
	resp := &pulumirpc.GetRequiredPluginsResponse{}
	for _, p := range plugins {
		resp.Plugins = append(resp.Plugins, &pulumirpc.PluginDependency{
			Name: p.name, Kind: "resource", Version: p.version, Server: p.server,
		})
	}
	return resp, nil
}

// Run runs a program to its end. What it prints goes to this process's own output, which the engine shows.
func (h *Host) Run(call context.Context, req *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	if req.GetAttachDebugger() {
		return nil, status.Error(codes.Unimplemented, "this language host can't start a debugger")
	}
	ctx, done := h.during(call)
	defer done()
	opts, err := readOptions(req.GetInfo().GetOptions())
	if err != nil {
		return nil, err
	}
	_, dir, _ := program(req.GetInfo(), req.GetPwd(), req.GetProgram()) //nolint:staticcheck // older engines
	script, err := FindScript(dir, "run")
	if err != nil {
		return nil, err
	}
	env, err := runEnvironment(req, opts)
	if err != nil {
		return nil, err
	}
	cmd, err := node(ctx, dir, env, runArguments(req, script, h.engine, h.tracing, opts.nodeargs)...)
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return result(ctx, child.Run(cmd)), nil
}

// RunPlugin runs a plugin that is written for Node.js: a policy pack (kind "analyzer") or a provider.
func (h *Host) RunPlugin(req *pulumirpc.RunPluginRequest, stream pulumirpc.LanguageRuntime_RunPluginServer) error {
	ctx, done := h.during(stream.Context())
	defer done()
	opts, err := readOptions(req.GetInfo().GetOptions())
	if err != nil {
		return err
	}
	_, dir, _ := program(req.GetInfo(), req.GetPwd(), req.GetProgram()) //nolint:staticcheck // older engines
	name, pwd, args := "run-plugin", req.GetPwd(), append([]string{dir}, req.GetArgs()...)
	if req.GetKind() == "analyzer" {
		// The script takes the engine's address first. It looks for tsconfig.json where it runs, which has to be the
		// pack and not the program.
		address := h.engine
		if n := len(req.GetArgs()); n > 0 {
			address = req.GetArgs()[n-1]
		}
		name, pwd, args = "run-policy-pack", dir, []string{address, dir}
	}
	script, err := FindScript(dir, name)
	if err != nil {
		// The engine reads this from the plugin's output, where it can explain it.
		sendErr := stream.Send(&pulumirpc.RunPluginResponse{
			Output: &pulumirpc.RunPluginResponse_Stderr{Stderr: []byte(err.Error() + "\n")},
		})
		return errors.Join(sendErr, stream.Send(exitCode(1)))
	}
	cmd, err := node(ctx, pwd, req.GetEnv(), append(append(opts.nodeargs, script), args...)...)
	if err != nil {
		return err
	}
	var lock sync.Mutex
	cmd.Stdout = sender(&lock, func(p []byte) error {
		return stream.Send(&pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Stdout{Stdout: p}})
	})
	cmd.Stderr = sender(&lock, func(p []byte) error {
		return stream.Send(&pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Stderr{Stderr: p}})
	})
	err = child.Run(cmd)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	return stream.Send(exitCode(cmd.ProcessState.ExitCode()))
}

func exitCode(code int) *pulumirpc.RunPluginResponse {
	return &pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Exitcode{Exitcode: int32(code)}}
}

// InstallDependencies runs the program's package manager and passes on what it prints.
func (h *Host) InstallDependencies(
	req *pulumirpc.InstallDependenciesRequest, stream pulumirpc.LanguageRuntime_InstallDependenciesServer,
) error {
	ctx, done := h.during(stream.Context())
	defer done()
	opts, err := readOptions(req.GetInfo().GetOptions())
	if err != nil {
		return err
	}
	_, dir, _ := program(req.GetInfo(), req.GetDirectory(), "") //nolint:staticcheck // older engines
	cmd := child.Command(ctx, opts.packagemanager, "install")
	cmd.Dir = dir
	var lock sync.Mutex
	cmd.Stdout = sender(&lock, func(p []byte) error {
		return stream.Send(&pulumirpc.InstallDependenciesResponse{Stdout: p})
	})
	cmd.Stderr = sender(&lock, func(p []byte) error {
		return stream.Send(&pulumirpc.InstallDependenciesResponse{Stderr: p})
	})
	if err := child.Run(cmd); err != nil {
		return status.Errorf(codes.Unknown, "%s install failed in %s: %v", opts.packagemanager, dir, err)
	}
	return nil
}

// RuntimeOptionsPrompts asks for the package manager unless Pulumi.yaml names it.
func (h *Host) RuntimeOptionsPrompts(
	_ context.Context, req *pulumirpc.RuntimeOptionsRequest,
) (*pulumirpc.RuntimeOptionsResponse, error) {
	if _, set := req.GetInfo().GetOptions().AsMap()["packagemanager"]; set {
		return &pulumirpc.RuntimeOptionsResponse{}, nil
	}
	choice := func(name string) *pulumirpc.RuntimeOptionPrompt_RuntimeOptionValue {
		return &pulumirpc.RuntimeOptionPrompt_RuntimeOptionValue{
			PromptType: pulumirpc.RuntimeOptionPrompt_STRING, StringValue: name, DisplayName: name,
		}
	}
	return &pulumirpc.RuntimeOptionsResponse{Prompts: []*pulumirpc.RuntimeOptionPrompt{{
		Key:         "packagemanager",
		Description: "The package manager to use for installing dependencies",
		PromptType:  pulumirpc.RuntimeOptionPrompt_STRING,
		Choices: []*pulumirpc.RuntimeOptionPrompt_RuntimeOptionValue{
			choice("npm"), choice("pnpm"), choice("yarn"),
		},
		Default: choice("npm"),
	}}}, nil
}

// Template changes nothing: templates for Node.js need no more than the engine does itself.
func (h *Host) Template(context.Context, *pulumirpc.TemplateRequest) (*pulumirpc.TemplateResponse, error) {
	return &pulumirpc.TemplateResponse{}, nil
}

// About returns which Node.js runs the programs.
func (h *Host) About(ctx context.Context, req *pulumirpc.AboutRequest) (*pulumirpc.AboutResponse, error) {
	opts, err := readOptions(req.GetInfo().GetOptions())
	if err != nil {
		return nil, err
	}
	cmd, err := node(ctx, "", nil, "--version")
	if err != nil {
		return nil, err
	}
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	return &pulumirpc.AboutResponse{
		Executable: cmd.Path,
		Version:    split(string(out)),
		Metadata:   map[string]string{"packagemanager": opts.packagemanager},
	}, nil
}

// GetProgramDependencies lists the program's npm packages with their installed versions: those that its package.json
// names, or all of them.
func (h *Host) GetProgramDependencies(
	_ context.Context, req *pulumirpc.GetProgramDependenciesRequest,
) (*pulumirpc.GetProgramDependenciesResponse, error) {
	_, dir, _ := program(req.GetInfo(), req.GetPwd(), req.GetProgram()) //nolint:staticcheck // older engines
	own, err := readManifest(filepath.Join(dir, "package.json"))
	if err != nil {
		return nil, err
	}
	packages, err := installed(dir)
	if err != nil {
		return nil, err
	}
	resp := &pulumirpc.GetProgramDependenciesResponse{}
	seen := map[string]bool{}
	for _, m := range packages {
		_, direct := own.Dependencies[m.Name]
		_, dev := own.DevDependencies[m.Name]
		key := m.Name
		if req.GetTransitiveDependencies() {
			key += "@" + m.Version
		} else if !direct && !dev {
			continue
		}
		if !seen[key] {
			seen[key] = true
			resp.Dependencies = append(resp.Dependencies,
				&pulumirpc.DependencyInfo{Name: m.Name, Version: m.Version})
		}
	}
	return resp, nil
}

// during returns a context that ends with the call or with the host, whichever is first.
func (h *Host) during(call context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(call)
	stop := context.AfterFunc(h.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// sender makes a writer of send; lock keeps two writers of one stream apart.
func sender(lock *sync.Mutex, send func([]byte) error) io.Writer {
	return writerFunc(func(p []byte) (int, error) {
		lock.Lock()
		defer lock.Unlock()
		if err := send(append([]byte(nil), p...)); err != nil {
			return 0, err
		}
		return len(p), nil
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
