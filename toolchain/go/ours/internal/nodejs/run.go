package nodejs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/google/shlex"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"openclaw-kasm.local/toolchain/ours/internal/child"
)

// exitReported is how the SDK's run script ends when it has shown the program's error to the user already.
const exitReported = 32

// options are the settings below runtime.options in Pulumi.yaml.
type options struct {
	typescript     bool
	nodeargs       []string
	tsconfig       string
	packagemanager string
}

// readOptions reads and checks the options of Pulumi.yaml. Defaults: typescript true, packagemanager npm. Each error
// names the option.
func readOptions(raw *structpb.Struct) (options, error) {
	opts := options{typescript: true, packagemanager: "npm"}
	for key, value := range raw.AsMap() {
		var ok bool
		switch key {
		case "typescript":
			opts.typescript, ok = value.(bool)
		case "tsconfig":
			opts.tsconfig, ok = value.(string)
		case "packagemanager":
			opts.packagemanager, ok = value.(string)
			if ok && opts.packagemanager != "npm" && opts.packagemanager != "pnpm" && opts.packagemanager != "yarn" {
				return opts, fmt.Errorf("runtime option packagemanager: expected npm, pnpm or yarn, got %q",
					opts.packagemanager)
			}
		case "nodeargs":
			var text string
			if text, ok = value.(string); ok {
				var err error
				if opts.nodeargs, err = shlex.Split(text); err != nil {
					return opts, fmt.Errorf("runtime option nodeargs: %w", err)
				}
			}
		default:
			ok = true // an option of a later version
		}
		if !ok {
			return opts, fmt.Errorf("runtime option %s: unexpected value %v", key, value)
		}
	}
	return opts, nil
}

// program returns where a program is. Engines before 3.100 or so sent the working directory and entry point only.
func program(info *pulumirpc.ProgramInfo, pwd, entry string) (root, dir, entryPoint string) {
	root, dir, entryPoint = info.GetRootDirectory(), info.GetProgramDirectory(), info.GetEntryPoint()
	if dir == "" {
		dir = pwd
	}
	if entryPoint == "" {
		entryPoint = entry
	}
	if entryPoint == "" {
		entryPoint = "."
	}
	return root, dir, entryPoint
}

// runArguments is the command line of the SDK's run script, without node itself.
func runArguments(req *pulumirpc.RunRequest, script, engine, tracing string, nodeargs []string) []string {
	root, _, entry := program(req.GetInfo(), req.GetPwd(), req.GetProgram()) //nolint:staticcheck // older engines
	args := append(append([]string{}, nodeargs...), script)
	flag := func(name, value string) {
		if value != "" {
			args = append(args, "--"+name, value)
		}
	}
	flag("monitor", req.GetMonitorAddress())
	flag("engine", engine)
	flag("organization", req.GetOrganization())
	flag("project", req.GetProject())
	flag("root-directory", root)
	flag("stack", req.GetStack())
	flag("pwd", req.GetPwd())
	if req.GetDryRun() {
		args = append(args, "--dry-run")
	}
	flag("parallel", strconv.Itoa(int(req.GetParallel())))
	flag("tracing", tracing)
	return append(append(args, entry), req.GetArgs()...)
}

// runEnvironment is what the SDK reads from the environment: it keeps configuration off the command line, which every
// user of the machine can see.
func runEnvironment(req *pulumirpc.RunRequest, opts options) ([]string, error) {
	// The SDK reads "project:config:key", which is how keys were written before "project:key".
	values := make(map[string]string, len(req.GetConfig()))
	for text, value := range req.GetConfig() {
		key, err := config.ParseKey(text)
		if err != nil {
			return nil, fmt.Errorf("configuration key %q: %w", text, err)
		}
		values[key.Namespace()+":config:"+key.Name()] = value
	}
	secrets := make([]string, 0, len(req.GetConfigSecretKeys()))
	for _, text := range req.GetConfigSecretKeys() {
		key, err := config.ParseKey(text)
		if err != nil {
			return nil, fmt.Errorf("configuration key %q: %w", text, err)
		}
		secrets = append(secrets, key.Namespace()+":config:"+key.Name())
	}
	configJSON, err := json.Marshal(values)
	if err != nil {
		return nil, err
	}
	secretsJSON, err := json.Marshal(secrets)
	if err != nil {
		return nil, err
	}
	env := []string{
		"PULUMI_CONFIG=" + string(configJSON),
		"PULUMI_CONFIG_SECRET_KEYS=" + string(secretsJSON),
		"PULUMI_NODEJS_TYPESCRIPT=" + strconv.FormatBool(opts.typescript),
	}
	if opts.tsconfig != "" {
		env = append(env, "PULUMI_NODEJS_TSCONFIG_PATH="+opts.tsconfig)
	}
	return env, nil
}

// result translates the end of a program for the engine: Bail when the user has been told already, else an error text
// that is empty for success.
func result(ctx context.Context, err error) *pulumirpc.RunResponse {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return &pulumirpc.RunResponse{}
	case ctx.Err() != nil:
		return &pulumirpc.RunResponse{Error: "The program was stopped before it ended"}
	case errors.As(err, &exit) && exit.ExitCode() == exitReported:
		return &pulumirpc.RunResponse{Bail: true}
	case errors.As(err, &exit) && exit.Exited():
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("Program exited with non-zero exit code: %d", exit.ExitCode())}
	case errors.As(err, &exit):
		return &pulumirpc.RunResponse{Error: "Program exited unexpectedly: " + exit.String()}
	default:
		return &pulumirpc.RunResponse{Error: "Node.js could not be started: " + err.Error()}
	}
}

// node prepares a Node.js process in dir. Later entries of env win over earlier ones and over this process's own.
func node(ctx context.Context, dir string, env []string, args ...string) (*exec.Cmd, error) {
	bin, err := exec.LookPath("node")
	if err != nil {
		return nil, errors.New("there is no node on PATH: install Node.js 20.19 or newer")
	}
	cmd := child.Command(ctx, bin, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	return cmd, nil
}

// split cuts output into the version that programs print, without the "v".
func split(version string) string { return strings.TrimPrefix(strings.TrimSpace(version), "v") }
