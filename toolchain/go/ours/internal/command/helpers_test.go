package command_test

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/blang/semver"
	provider "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/integration"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/property"

	"openclaw-kasm.local/toolchain/ours/internal/command"
)

type (
	inputs = map[string]property.Value
	diffs  = map[string]provider.DiffKind
)

func text(s string) property.Value { return property.New(s) }

func list(values ...property.Value) property.Value { return property.New(values) }

func sorted(names []string) []string {
	slices.Sort(names)
	return names
}

// testResource drives one resource through the provider as the engine does.
type testResource struct {
	t      *testing.T
	server integration.Server
	urn    resource.URN
	log    *lines
}

func newResource(t *testing.T, token tokens.Type) *testResource {
	t.Helper()
	log := &lines{}
	// Without an engine the library logs through the default logger.
	before := slog.Default()
	slog.SetDefault(slog.New(log))
	t.Cleanup(func() { slog.SetDefault(before) })
	server, err := integration.NewServer(context.Background(), command.Name, semver.MustParse(command.Version),
		integration.WithProvider(command.New()))
	if err != nil {
		t.Fatal(err)
	}
	return &testResource{t, server, resource.NewURN("stack", "project", "", token, "name"), log}
}

// check validates inputs and fills in defaults.
func (r *testResource) check(in inputs) property.Map {
	r.t.Helper()
	resp, err := r.server.Check(provider.CheckRequest{Urn: r.urn, Inputs: property.NewMap(in)})
	if err != nil {
		r.t.Fatal(err)
	}
	if len(resp.Failures) > 0 {
		r.t.Fatalf("inputs are refused: %v", resp.Failures)
	}
	return resp.Inputs
}

func (r *testResource) must(resp provider.CreateResponse, err error) provider.CreateResponse {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
	return resp
}

func (r *testResource) create(in inputs) property.Map {
	r.t.Helper()
	resp := r.must(r.server.Create(provider.CreateRequest{Urn: r.urn, Properties: r.check(in)}))
	if resp.ID == "" {
		r.t.Error("no id")
	}
	return resp.Properties
}

// createFails expects an error with all these words, and no resource.
func (r *testResource) createFails(in inputs, words ...string) error {
	r.t.Helper()
	resp, err := r.server.Create(provider.CreateRequest{Urn: r.urn, Properties: r.check(in)})
	expectError(r.t, err, words...)
	if resp.ID != "" || resp.PartialState != nil {
		r.t.Errorf("a failed create left %v behind", resp)
	}
	return err
}

// createInBackground gives the error that a create ends with.
func (r *testResource) createInBackground(in inputs) <-chan error {
	r.t.Helper()
	ended, checked := make(chan error, 1), r.check(in)
	go func() {
		_, err := r.server.Create(provider.CreateRequest{Urn: r.urn, Properties: checked})
		ended <- err
	}()
	return ended
}

func (r *testResource) cancel() {
	r.t.Helper()
	if err := r.server.Cancel(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *testResource) update(state property.Map, in inputs) property.Map {
	r.t.Helper()
	resp, err := r.server.Update(provider.UpdateRequest{ID: "id", Urn: r.urn, State: state, Inputs: r.check(in)})
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.Properties
}

func (r *testResource) delete(state property.Map) {
	r.t.Helper()
	if err := r.server.Delete(provider.DeleteRequest{ID: "id", Urn: r.urn, Properties: state}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *testResource) expect(state property.Map, name, want string) {
	r.t.Helper()
	if got := state.Get(name); !got.IsString() || got.AsString() != want {
		r.t.Errorf("%s is %v, expected %q", name, got, want)
	}
}

func (r *testResource) expectDiff(old, new inputs, want diffs) {
	r.t.Helper()
	before, after := r.check(old), r.check(new)
	state := before
	for _, name := range []string{"stdout", "stderr"} {
		state = state.Set(name, text(""))
	}
	resp, err := r.server.Diff(provider.DiffRequest{
		ID: "id", Urn: r.urn, State: state, OldInputs: before, Inputs: after,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	if resp.HasChanges != (len(want) > 0) {
		r.t.Errorf("changes: %v", resp.HasChanges)
	}
	got := diffs{}
	for path, change := range resp.DetailedDiff {
		got[path] = change.Kind
	}
	if len(got) != len(want) {
		r.t.Fatalf("diff is %v, expected %v", got, want)
	}
	for path, kind := range want {
		if got[path] != kind {
			r.t.Errorf("diff is %v, expected %v", got, want)
		}
	}
}

func (r *testResource) expectLog(want ...string) {
	r.t.Helper()
	if got := sorted(r.log.all()); !slices.Equal(got, want) {
		r.t.Errorf("log is %q, expected %q", got, want)
	}
}

// lines is a log handler that keeps the messages.
type lines struct {
	lock sync.Mutex
	kept []string
}

func (l *lines) all() []string {
	l.lock.Lock()
	defer l.lock.Unlock()
	return slices.Clone(l.kept)
}

// Handle implements slog.Handler.
func (l *lines) Handle(_ context.Context, record slog.Record) error {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.kept = append(l.kept, record.Message)
	return nil
}

// Enabled implements slog.Handler.
func (l *lines) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs implements slog.Handler.
func (l *lines) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup implements slog.Handler.
func (l *lines) WithGroup(string) slog.Handler { return l }

func expectFile(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s holds %q, expected %q", path, got, want)
	}
}

// newLifeline makes a FIFO for a command to write to. Who reads it learns when the command has begun, and when the last
// of its processes is gone.
func newLifeline(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lifeline")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// expectStopped cancels a command as soon as it has begun, and expects that none of its processes goes on.
func (r *testResource) expectStopped(line string, ended <-chan error) {
	r.t.Helper()
	processes, err := os.Open(line)
	if err != nil {
		r.t.Fatal(err)
	}
	defer processes.Close()
	r.cancel()
	expectError(r.t, <-ended, "stopped")
	if written, err := io.ReadAll(processes); err != nil || len(written) > 0 {
		r.t.Errorf("a process went on: %q, %v", written, err)
	}
}

func expectError(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("expected an error")
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("expected %q in %v", word, err)
		}
	}
}
