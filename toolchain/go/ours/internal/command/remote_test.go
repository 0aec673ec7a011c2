package command_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	provider "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
	"golang.org/x/crypto/ssh/agent"
)

const remoteCommand = "command:remote:Command"

func TestMain(m *testing.M) {
	// The user's own agent has no part in these tests.
	if err := os.Unsetenv("SSH_AUTH_SOCK"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func TestRemoteLifeCycle(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	s := newSSHServer(t, nil)
	r := newResource(t, remoteCommand)
	in := inputs{
		"connection": s.connection(),
		"create":     text("cat > " + file + "; echo out; echo err >&2"),
		"update":     text("echo updated"),
		"delete":     text("rm " + file),
		"stdin":      text("content"),
	}
	state := r.create(in)
	r.expect(state, "stdout", "out")
	r.expect(state, "stderr", "err")
	expectFile(t, file, "content")
	in["stdin"] = text("other")
	state = r.update(state, in)
	r.expect(state, "stdout", "updated")
	r.delete(state)
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Error("the delete command did not run")
	}
}

func TestRemoteUpdateRunsCreateWithoutUpdate(t *testing.T) {
	s := newSSHServer(t, nil)
	r := newResource(t, remoteCommand)
	state := r.create(inputs{"connection": s.connection(), "create": text("echo 1")})
	r.expect(r.update(state, inputs{"connection": s.connection(), "create": text("echo 2")}), "stdout", "2")
}

func TestARemoteChangeOfDeleteAloneRunsCreateAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "runs")
	s := newSSHServer(t, nil)
	r := newResource(t, remoteCommand)
	in := inputs{
		"connection": s.connection(), "create": text("echo create >> " + file), "delete": text("echo old >> " + file),
	}
	state := r.create(in)
	in["delete"] = text("echo new >> " + file)
	r.delete(r.update(state, in))
	expectFile(t, file, "create\ncreate\nnew\n")
}

func TestRemoteDeleteUsesTheConnectionInTheState(t *testing.T) {
	inState, inInputs := newSSHServer(t, nil), newSSHServer(t, nil)
	in := func(s *sshServer) inputs { return inputs{"connection": s.connection(), "delete": text("true")} }
	r := newResource(t, remoteCommand)
	if err := r.server.Delete(provider.DeleteRequest{
		ID: "id", Urn: r.urn, Properties: r.create(in(inState)), OldInputs: r.check(in(inInputs)),
	}); err != nil {
		t.Fatal(err)
	}
	if inState.tries() != 1 || inInputs.tries() != 0 {
		t.Errorf("the machine in the state was asked %d times, the other %d times", inState.tries(), inInputs.tries())
	}
}

func TestRemoteWithoutCommandsConnectsToNothing(t *testing.T) {
	s := newSSHServer(t, nil)
	r := newResource(t, remoteCommand)
	r.delete(r.create(inputs{"connection": s.connection()}))
	if s.tries() != 0 {
		t.Error("there was nothing to connect for")
	}
}

func TestRemotePreviewConnectsToNothing(t *testing.T) {
	s := newSSHServer(t, nil)
	r := newResource(t, remoteCommand)
	resp := r.must(r.server.Create(provider.CreateRequest{Urn: r.urn, DryRun: true, Properties: r.check(inputs{
		"connection": s.connection(), "create": text("true"),
	})}))
	if s.tries() != 0 {
		t.Error("a preview connected")
	}
	if out := resp.Properties.Get("stdout"); !out.IsComputed() {
		t.Errorf("stdout is %v, expected unknown", out)
	}
}

func TestRemoteFailureReportsCommandAndOutputButNotStdin(t *testing.T) {
	s := newSSHServer(t, nil)
	err := newResource(t, remoteCommand).createFails(inputs{
		"connection": s.connection(), "create": text("echo seen; exit 7"), "stdin": text("hidden"),
	}, "exited with status 7", `running "echo seen`, "seen\n")
	if strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), s.password) {
		t.Errorf("the error gives away what must stay hidden: %v", err)
	}
}

func TestRemoteEnvironment(t *testing.T) {
	s := newSSHServer(t, func(s *sshServer) { s.acceptEnv = []string{"NAME", "PULUMI_COMMAND_STDOUT"} })
	env := property.New(map[string]property.Value{"NAME": text("value"), "OTHER": text("refused-value")})
	r := newResource(t, remoteCommand)
	in := inputs{
		"connection": s.connection(), "environment": env, "logging": text("none"),
		"create": text(`echo "$NAME:$OTHER:$PULUMI_COMMAND_STDOUT"`),
	}
	state := r.create(in)
	r.expect(state, "stdout", "value::")
	if log := strings.Join(r.log.all(), "\n"); !strings.Contains(log, "(OTHER)") || strings.Contains(log, "refused-value") {
		t.Errorf("expected a warning with the name and without the value, got %q", log)
	}
	r.expect(r.update(state, in), "stdout", "value::value::")
	in["addPreviousOutputInEnv"] = property.New(false)
	r.expect(r.update(state, in), "stdout", "value::")
}

func TestRemoteLogging(t *testing.T) {
	s := newSSHServer(t, nil)
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
			r := newResource(t, remoteCommand)
			in := inputs{"connection": s.connection(), "create": text("echo out; printf err >&2")}
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

func TestRemoteDefaults(t *testing.T) {
	r := newResource(t, remoteCommand)
	checked := r.check(inputs{"connection": property.New(inputs{
		"host": text("example.com"), "proxy": property.New(inputs{"host": text("bastion.example.com")}),
	})})
	connection := checked.Get("connection")
	if !connection.Secret() {
		t.Error("the connection is not secret")
	}
	for _, end := range []property.Map{connection.AsMap(), connection.AsMap().Get("proxy").AsMap()} {
		for name, want := range map[string]property.Value{
			"port": property.New(22.0), "user": text("root"),
			"dialErrorLimit": property.New(10.0), "perDialTimeout": property.New(15.0),
		} {
			if got := end.Get(name); !got.Equals(want) {
				t.Errorf("%s is %v, expected %v", name, got, want)
			}
		}
	}
}

func TestRemoteTriggersReplaceAndOtherChangesUpdate(t *testing.T) {
	s := newSSHServer(t, nil)
	r := newResource(t, remoteCommand)
	base := func(more inputs) inputs {
		in := inputs{"connection": s.connection(), "triggers": list(text("a"))}
		for name, value := range more {
			in[name] = value
		}
		return in
	}
	r.expectDiff(base(nil), base(inputs{"triggers": list(text("b"))}), diffs{"triggers[0]": provider.UpdateReplace})
	r.expectDiff(base(nil), base(inputs{"connection": s.connection(inputs{"user": text("me")})}),
		diffs{"connection": provider.Update})
	r.expectDiff(base(inputs{"update": text("a")}), base(inputs{"update": text("b")}), diffs{"update": provider.Update})
	r.expectDiff(base(nil), base(inputs{"environment": property.New(inputs{"A": text("a")})}),
		diffs{"environment": provider.Add})
}

func TestRemoteSecrets(t *testing.T) {
	s := newSSHServer(t, nil)
	for _, secret := range []bool{false, true} {
		state := newResource(t, remoteCommand).create(inputs{
			"connection": s.connection(), "create": text("cat"), "stdin": text("in").WithSecret(secret),
		})
		if !state.Get("connection").Secret() {
			t.Error("the connection is not secret")
		}
		if got := state.Get("stdout").Secret(); got != secret {
			t.Errorf("stdout secret: %v, expected %v", got, secret)
		}
	}
}

func TestLogin(t *testing.T) {
	key, keyText := newKey(t, "")
	sealedKey, sealedText := newKey(t, "passphrase")
	other, otherText := newKey(t, "")
	socket := newAgent(t, keyText)
	noPassword := inputs{"password": property.Value{}}
	for _, test := range []struct {
		name   string
		server func(*sshServer)
		login  inputs
		want   string // empty for success
	}{
		{"password", nil, nil, ""},
		{"wrong password", nil, inputs{"password": text("wrong-secret")}, "unable to authenticate"},
		{"user", func(s *sshServer) { s.user = "me" }, inputs{"user": text("me")}, ""},
		{"wrong user", nil, inputs{"user": text("me")}, "unable to authenticate"},
		{"key", func(s *sshServer) { s.clientKey = key.PublicKey() },
			inputs{"privateKey": text(keyText), "password": property.Value{}}, ""},
		{"wrong key", func(s *sshServer) { s.clientKey = key.PublicKey() },
			inputs{"privateKey": text(otherText), "password": property.Value{}}, "unable to authenticate"},
		{"wrong key, right password", func(s *sshServer) { s.clientKey = key.PublicKey() },
			inputs{"privateKey": text(otherText)}, ""},
		{"encrypted key", func(s *sshServer) { s.clientKey = sealedKey.PublicKey() },
			inputs{"privateKey": text(sealedText), "privateKeyPassword": text("passphrase")}, ""},
		{"encrypted key without passphrase", nil, inputs{"privateKey": text(sealedText)},
			"connection.privateKey can't be read"},
		{"malformed key", nil, inputs{"privateKey": text("wrong-secret")}, "connection.privateKey can't be read"},
		{"agent", func(s *sshServer) { s.clientKey = key.PublicKey() },
			inputs{"agentSocketPath": text(socket), "password": property.Value{}}, ""},
		{"dead agent", nil, inputs{"agentSocketPath": text("/nowhere")}, "the SSH agent does not answer"},
		{"no way at all", nil, noPassword, "unable to authenticate"},
		{"malformed host key", nil, inputs{"hostKey": text("what")}, "connection.hostKey is no SSH public key"},
		{"another host key", nil, inputs{"hostKey": text(publicLine(other.PublicKey()))}, "host key mismatch"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSSHServer(t, test.server)
			r := newResource(t, remoteCommand)
			in := inputs{"connection": s.connection(test.login), "create": text("echo in")}
			if test.want == "" {
				r.expect(r.create(in), "stdout", "in")
			} else if err := r.createFails(in, test.want); strings.Contains(err.Error(), "wrong-secret") {
				t.Errorf("the error gives a secret away: %v", err)
			}
		})
	}
}

func TestExpectedHostKey(t *testing.T) {
	s := newSSHServer(t, nil)
	r := newResource(t, remoteCommand)
	line := publicLine(s.hostKey.PublicKey()) + " comment"
	state := r.create(inputs{
		"connection": s.connection(inputs{"hostKey": text(line)}), "create": text("echo in"),
	})
	r.expect(state, "stdout", "in")
}

func TestAgentFromTheEnvironment(t *testing.T) {
	key, keyText := newKey(t, "")
	s := newSSHServer(t, func(s *sshServer) { s.clientKey = key.PublicKey() })
	in := inputs{"connection": s.connection(inputs{"password": property.Value{}}), "create": text("echo in")}
	t.Setenv("SSH_AUTH_SOCK", newAgent(t, keyText))
	r := newResource(t, remoteCommand)
	r.expect(r.create(in), "stdout", "in")
	t.Setenv("SSH_AUTH_SOCK", "/nowhere")
	newResource(t, remoteCommand).createFails(in, "the SSH agent does not answer")
	// It is not needed when there is a password.
	r.expect(r.create(inputs{"connection": s.connection(), "create": text("echo in")}), "stdout", "in")
}

func TestDialErrorLimit(t *testing.T) {
	for _, test := range []struct {
		limit, refuse float64
		fails         bool
	}{
		{0, 0, false}, {0, 1, true}, {2, 2, false}, {2, 3, true}, {-1, 4, false},
	} {
		t.Run(fmt.Sprintf("limit %v, %v refused", test.limit, test.refuse), func(t *testing.T) {
			s := newSSHServer(t, func(s *sshServer) { s.refuse = int(test.refuse) })
			r := newResource(t, remoteCommand)
			in := inputs{
				"connection": s.connection(inputs{"dialErrorLimit": property.New(test.limit)}), "create": text("echo in"),
			}
			if test.fails {
				r.createFails(in, fmt.Sprintf("after %v failed tries", test.limit+1))
				if tries := float64(s.tries()); tries != test.limit+1 {
					t.Errorf("%v tries", tries)
				}
			} else {
				r.expect(r.create(in), "stdout", "in")
			}
		})
	}
}

func TestPerDialTimeout(t *testing.T) {
	s := newSSHServer(t, func(s *sshServer) { s.mute = true })
	newResource(t, remoteCommand).createFails(inputs{
		"connection": s.connection(inputs{"perDialTimeout": property.New(1.0)}), "create": text("true"),
	}, "no answer within 1s")
}

func TestProxy(t *testing.T) {
	bastion := newSSHServer(t, func(s *sshServer) { s.user = "jump"; s.password = "another" })
	s := newSSHServer(t, nil)
	through := func(more inputs) inputs {
		return inputs{
			"connection": s.connection(inputs{"proxy": bastion.connection(inputs{"user": text("jump")}, more)}),
			"create":     text("echo in"),
		}
	}
	r := newResource(t, remoteCommand)
	r.expect(r.create(through(nil)), "stdout", "in")
	if bastion.forwarded() != 1 {
		t.Error("the connection did not go through the proxy")
	}
	r.createFails(through(inputs{"password": text("wrong")}), "proxy: ", "unable to authenticate")
	other, _ := newKey(t, "")
	r.createFails(through(inputs{"hostKey": text(publicLine(other.PublicKey()))}), "proxy: ", "host key mismatch")
}

func TestProxyDialErrorLimit(t *testing.T) {
	for _, test := range []struct {
		limit, refuse float64
		fails         bool
	}{
		{0, 0, false}, {0, 1, true}, {2, 2, false}, {2, 3, true},
	} {
		t.Run(fmt.Sprintf("limit %v, %v refused", test.limit, test.refuse), func(t *testing.T) {
			bastion := newSSHServer(t, func(s *sshServer) { s.refuse = int(test.refuse) })
			s := newSSHServer(t, nil)
			r := newResource(t, remoteCommand)
			in := inputs{"create": text("echo in"), "connection": s.connection(inputs{
				"proxy": bastion.connection(inputs{"dialErrorLimit": property.New(test.limit)}),
			})}
			if test.fails {
				r.createFails(in, "proxy: ", fmt.Sprintf("after %v failed tries", test.limit+1))
				if tries := float64(bastion.tries()); tries != test.limit+1 {
					t.Errorf("%v tries", tries)
				}
			} else {
				r.expect(r.create(in), "stdout", "in")
			}
		})
	}
}

func TestPerDialTimeoutOfProxyAndTarget(t *testing.T) {
	oneSecond := inputs{"perDialTimeout": property.New(1.0)}
	mute := newSSHServer(t, func(s *sshServer) { s.mute = true })
	s := newSSHServer(t, nil)
	r := newResource(t, remoteCommand)
	r.createFails(inputs{
		"connection": s.connection(inputs{"proxy": mute.connection(oneSecond)}), "create": text("true"),
	}, "proxy: ", "no answer within 1s")
	err := r.createFails(inputs{
		"connection": mute.connection(oneSecond, inputs{"proxy": s.connection()}), "create": text("true"),
	}, "no answer within 1s")
	if strings.Contains(err.Error(), "proxy: ") {
		t.Errorf("the proxy is blamed: %v", err)
	}
}

func TestPerDialTimeoutOfZeroIsNoLimit(t *testing.T) {
	unlimited := inputs{"perDialTimeout": property.New(0.0)}
	s := newSSHServer(t, nil)
	r := newResource(t, remoteCommand)
	in := inputs{"connection": s.connection(unlimited), "create": text("echo in")}
	r.expect(r.create(in), "stdout", "in")

	mute := newSSHServer(t, func(s *sshServer) { s.mute = true })
	in["connection"] = mute.connection(unlimited)
	ended := r.createInBackground(in)
	<-mute.muted
	r.cancel()
	expectError(t, <-ended, "was stopped")
}

func TestRemoteCancel(t *testing.T) {
	line := newLifeline(t)
	s := newSSHServer(t, nil)
	r := newResource(t, remoteCommand)
	r.expectStopped(line, r.createInBackground(inputs{
		"connection": s.connection(), "create": text("exec 3>" + line + "; sleep 60; echo survived >&3"),
	}))
}

// newAgent serves one key as an SSH agent and returns its socket.
func newAgent(t *testing.T, keyText string) string {
	t.Helper()
	keyring := agent.NewKeyring()
	if err := keyring.Add(agent.AddedKey{PrivateKey: parse(t, keyText)}); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "agent")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(keyring, conn) }()
		}
	}()
	return socket
}
