package command_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	provider "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

const localCommand = "command:local:Command"

func TestCreateRunsTheCommand(t *testing.T) {
	r := newResource(t, localCommand)
	state := r.create(inputs{"create": text("echo out; echo err >&2")})
	r.expect(state, "stdout", "out")
	r.expect(state, "stderr", "err")
}

func TestOnlyOneNewlineAtTheEndIsCutOff(t *testing.T) {
	r := newResource(t, localCommand)
	state := r.create(inputs{"create": text(`printf ' a\n\n'`)})
	r.expect(state, "stdout", " a\n")
}

func TestWithoutCreateNothingRuns(t *testing.T) {
	r := newResource(t, localCommand)
	state := r.create(inputs{"delete": text("true")})
	r.expect(state, "stdout", "")
}

func TestStdinEnvironmentDirAndInterpreter(t *testing.T) {
	dir := t.TempDir()
	r := newResource(t, localCommand)
	state := r.create(inputs{
		"create":      text(`echo "$1:$NAME:$(pwd):$(cat)"`),
		"stdin":       text("from stdin"),
		"environment": property.New(map[string]property.Value{"NAME": text("value")}),
		"dir":         text(dir),
		"interpreter": list(text("/bin/bash"), text("-c")),
	})
	r.expect(state, "stdout", fmt.Sprintf(":value:%s:from stdin", dir))
}

func TestMissingDirFails(t *testing.T) {
	r := newResource(t, localCommand)
	r.createFails(inputs{"create": text("true"), "dir": text("/does/not/exist")}, "/does/not/exist")
}

func TestFailedCreateReportsCommandAndOutputButNeitherStdinNorEnvironment(t *testing.T) {
	r := newResource(t, localCommand)
	err := r.createFails(inputs{
		"create":      text("echo seen; echo also >&2; exit 3"),
		"stdin":       text("hidden-stdin"),
		"environment": property.New(map[string]property.Value{"NAME": text("hidden-env")}),
	}, "exit status 3", `running "echo seen`, "seen\n", "also\n")
	if strings.Contains(err.Error(), "hidden") {
		t.Errorf("the error gives away what must stay hidden: %v", err)
	}
}

func TestPreviewRunsNothingAndLeavesOutputUnknown(t *testing.T) {
	file := filepath.Join(t.TempDir(), "made")
	r := newResource(t, localCommand)
	resp := r.must(r.server.Create(provider.CreateRequest{
		Urn: r.urn, DryRun: true, Properties: r.check(inputs{"create": text("touch " + file)}),
	}))
	if _, err := os.Stat(file); err == nil {
		t.Error("the command ran in a preview")
	}
	if out := resp.Properties.Get("stdout"); !out.IsComputed() {
		t.Errorf("stdout is %v, expected unknown", out)
	}
	if in := resp.Properties.Get("create"); in.IsComputed() {
		t.Error("an input became unknown")
	}
}

func TestPreviewOfAChangeLeavesOutputUnknown(t *testing.T) {
	r := newResource(t, localCommand)
	state := r.create(inputs{"create": text("echo 1")})
	resp, err := r.server.Update(provider.UpdateRequest{
		ID: "id", Urn: r.urn, State: state, DryRun: true, Inputs: r.check(inputs{"create": text("echo 2")}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if out := resp.Properties.Get("stdout"); !out.IsComputed() {
		t.Errorf("stdout is %v, expected unknown", out)
	}
}

func TestUpdateRunsUpdateElseCreate(t *testing.T) {
	r := newResource(t, localCommand)
	old := inputs{"create": text("echo create"), "stdin": text("1")}
	state := r.update(r.create(old), inputs{"create": text("echo create again"), "stdin": text("2")})
	r.expect(state, "stdout", "create again")
	state = r.update(state, inputs{"create": text("echo create"), "update": text("echo update")})
	r.expect(state, "stdout", "update")
}

func TestAChangeOfDeleteAloneRunsCreateAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "runs")
	r := newResource(t, localCommand)
	in := inputs{"create": text("echo create >> " + file), "delete": text("echo old >> " + file)}
	state := r.create(in)
	in["delete"] = text("echo new >> " + file)
	r.delete(r.update(state, in))
	expectFile(t, file, "create\ncreate\nnew\n")
}

func TestFailedUpdateIsAnError(t *testing.T) {
	r := newResource(t, localCommand)
	state := r.create(inputs{"create": text("true")})
	_, err := r.server.Update(provider.UpdateRequest{
		ID: "id", Urn: r.urn, State: state, Inputs: r.check(inputs{"create": text("echo why; false")}),
	})
	if err == nil || !strings.Contains(err.Error(), "why") {
		t.Errorf("expected the output in the error, got %v", err)
	}
}

func TestUpdateWithoutCommandKeepsTheOutput(t *testing.T) {
	r := newResource(t, localCommand)
	state := r.update(r.create(inputs{"create": text("echo kept")}), inputs{"delete": text("true")})
	r.expect(state, "stdout", "kept")
}

func TestDeleteRunsWithTheStatesInputs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "deleted")
	r := newResource(t, localCommand)
	state := r.create(inputs{
		"create":      text("echo before; echo problem >&2"),
		"delete":      text(fmt.Sprintf(`echo "$NAME:$(cat):$PULUMI_COMMAND_STDOUT:$PULUMI_COMMAND_STDERR" > %s`, file)),
		"stdin":       text("in"),
		"environment": property.New(map[string]property.Value{"NAME": text("value")}),
	})
	r.delete(state)
	expectFile(t, file, "value:in:before:problem\n")
}

func TestFailedDeleteIsAnError(t *testing.T) {
	r := newResource(t, localCommand)
	state := r.create(inputs{"delete": text("exit 5")})
	err := r.server.Delete(provider.DeleteRequest{ID: "id", Urn: r.urn, Properties: state})
	if err == nil || !strings.Contains(err.Error(), "exit status 5") {
		t.Errorf("expected exit status 5, got %v", err)
	}
}

func TestPreviousOutputInTheEnvironment(t *testing.T) {
	show := text(`echo "[$PULUMI_COMMAND_STDOUT][$PULUMI_COMMAND_STDERR]"`)
	for _, test := range []struct {
		name   string
		inputs inputs
		want   string
	}{
		{"by default", inputs{"create": show}, "[first][second]"},
		{"asked for", inputs{"create": show, "addPreviousOutputInEnv": property.New(true)}, "[first][second]"},
		{"not wanted", inputs{"create": show, "addPreviousOutputInEnv": property.New(false)}, "[][]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newResource(t, localCommand)
			state := r.create(inputs{"create": text("echo first; echo second >&2")})
			r.expect(r.update(state, test.inputs), "stdout", test.want)
		})
	}
}

func TestDefaults(t *testing.T) {
	r := newResource(t, localCommand)
	checked := r.check(inputs{"create": text("true")})
	if value := checked.Get("addPreviousOutputInEnv"); !value.IsBool() || !value.AsBool() {
		t.Errorf("addPreviousOutputInEnv is %v, expected true", value)
	}
}

func TestDiff(t *testing.T) {
	trigger := func(values ...property.Value) inputs {
		return inputs{"create": text("true"), "triggers": list(values...)}
	}
	for _, test := range []struct {
		name     string
		old, new inputs
		want     map[string]provider.DiffKind
	}{
		{"nothing", trigger(text("a")), trigger(text("a")), nil},
		{"trigger changed", trigger(text("a")), trigger(text("b")), diffs{"triggers[0]": provider.UpdateReplace}},
		{"trigger added", trigger(text("a")), trigger(text("a"), text("b")), diffs{"triggers[1]": provider.AddReplace}},
		{"trigger removed", trigger(text("a"), text("b")), trigger(text("a")),
			diffs{"triggers[1]": provider.DeleteReplace}},
		{"first triggers", inputs{"create": text("true")}, trigger(text("a")),
			diffs{"triggers": provider.AddReplace}},
		{"create", inputs{"create": text("a")}, inputs{"create": text("b")}, diffs{"create": provider.Update}},
		{"delete", inputs{"delete": text("a")}, inputs{"delete": text("b")}, diffs{"delete": provider.Update}},
		{"stdin", inputs{"stdin": text("a")}, inputs{"stdin": text("b")}, diffs{"stdin": provider.Update}},
		{"update", inputs{"update": text("a")}, inputs{"update": text("b")}, diffs{"update": provider.Update}},
		{"environment", inputs{"environment": property.New(inputs{"A": text("a"), "B": text("b")})},
			inputs{"environment": property.New(inputs{"A": text("changed"), "C": text("c")})},
			diffs{"environment.A": provider.Update, "environment.B": provider.Delete, "environment.C": provider.Add}},
		{"dir", inputs{"dir": text("/a")}, inputs{"dir": text("/b")}, diffs{"dir": provider.Update}},
		{"interpreter", inputs{"interpreter": list(text("sh"), text("-c"))},
			inputs{"interpreter": list(text("bash"), text("-c"))}, diffs{"interpreter[0]": provider.Update}},
		{"logging", inputs{}, inputs{"logging": text("none")}, diffs{"logging": provider.Add}},
	} {
		t.Run(test.name, func(t *testing.T) {
			newResource(t, localCommand).expectDiff(test.old, test.new, test.want)
		})
	}
}

func TestLogging(t *testing.T) {
	for _, test := range []struct {
		logging string
		want    []string
	}{
		{"", []string{"err", "out"}},
		{"stdoutAndStderr", []string{"err", "out"}},
		{"stdout", []string{"out"}},
		{"stderr", []string{"err"}},
		{"none", nil},
	} {
		t.Run("logging "+test.logging, func(t *testing.T) {
			r := newResource(t, localCommand)
			in := inputs{"create": text("echo out; printf err >&2")}
			if test.logging != "" {
				in["logging"] = text(test.logging)
			}
			state := r.create(in)
			r.expect(state, "stdout", "out")
			r.expect(state, "stderr", "err")
			r.expectLog(test.want...)
		})
	}
}

func TestUnknownLoggingIsRefused(t *testing.T) {
	r := newResource(t, localCommand)
	resp, err := r.server.Check(provider.CheckRequest{
		Urn: r.urn, Inputs: property.NewMap(inputs{"logging": text("loud")}),
	})
	if err != nil || len(resp.Failures) != 1 || resp.Failures[0].Property != "logging" {
		t.Errorf("expected one failure of logging, got %v, %v", resp.Failures, err)
	}
}

func TestOutputOfSecretsIsSecret(t *testing.T) {
	for _, name := range []string{"create", "stdin", "environment", "triggers", ""} {
		t.Run("secret "+name, func(t *testing.T) {
			in := inputs{
				"create":      text("cat"),
				"stdin":       text("in"),
				"environment": property.New(map[string]property.Value{"A": text("b")}),
				"triggers":    list(text("t")),
			}
			if name != "" {
				in[name] = in[name].WithSecret(true)
			}
			state := newResource(t, localCommand).create(in)
			for _, output := range []string{"stdout", "stderr"} {
				if got, want := state.Get(output).Secret(), name != ""; got != want {
					t.Errorf("%s secret: %v, expected %v", output, got, want)
				}
			}
			for input := range in {
				if got, want := state.Get(input).HasSecrets(), input == name; got != want {
					t.Errorf("%s secret: %v, expected %v", input, got, want)
				}
			}
		})
	}
}

func TestCancelKillsTheCommandAndItsChildren(t *testing.T) {
	line := newLifeline(t)
	r := newResource(t, localCommand)
	r.expectStopped(line, r.createInBackground(inputs{
		"create": text("exec 3>" + line + "; (sleep 60; echo survived >&3) & wait"),
	}))
}

func TestABackgroundProcessIsNotWaitedFor(t *testing.T) {
	for _, output := range []string{"", ">/dev/null 2>&1"} {
		t.Run("with its output "+output, func(t *testing.T) {
			line := newLifeline(t)
			r := newResource(t, localCommand)
			r.expect(r.create(inputs{"create": text("read -r _ <" + line + " " + output + " & echo done")}), "stdout", "done")
			// Now it may end.
			if err := os.WriteFile(line, []byte("\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestRefreshChangesNothing(t *testing.T) {
	r := newResource(t, localCommand)
	in := r.check(inputs{"create": text("echo out")})
	state := r.create(inputs{"create": text("echo out")})
	resp, err := r.server.Read(provider.ReadRequest{ID: "id", Urn: r.urn, Properties: state, Inputs: in})
	if err != nil {
		t.Fatal(err)
	}
	if !property.New(resp.Properties).Equals(property.New(state)) || !property.New(resp.Inputs).Equals(property.New(in)) {
		t.Errorf("refresh gave %v and %v", resp.Properties, resp.Inputs)
	}
}
