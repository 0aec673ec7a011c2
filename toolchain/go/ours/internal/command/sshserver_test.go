package command_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/pkg/sftp"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
	"golang.org/x/crypto/ssh"
)

// sshServer runs commands and SFTP of this machine for whoever has the password or the key.
type sshServer struct {
	t        *testing.T
	listener net.Listener
	hostKey  ssh.Signer

	user, password string
	clientKey      ssh.PublicKey
	// acceptEnv names the variables that a client may set.
	acceptEnv []string
	// refuse is how many connections are closed at once.
	refuse int
	// mute accepts connections and never says a word, after a note to muted.
	mute  bool
	muted chan struct{}

	lock     sync.Mutex
	accepted int
	proxied  int
}

func newSSHServer(t *testing.T, change func(*sshServer)) *sshServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	hostKey, _ := newKey(t, "")
	s := &sshServer{
		t: t, listener: listener, hostKey: hostKey, user: "root", password: "open sesame",
		muted: make(chan struct{}, 10),
	}
	if change != nil {
		change(s)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go s.serve()
	return s
}

// newKey returns a key and its text, encrypted unless the passphrase is empty.
func newKey(t *testing.T, passphrase string) (ssh.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	var block *pem.Block
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(private, "")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	return signer, string(pem.EncodeToMemory(block))
}

// connection is the input that logs in here with the password; more inputs are added to it or replace its own.
func (s *sshServer) connection(more ...inputs) property.Value {
	address := s.listener.Addr().(*net.TCPAddr)
	fields := inputs{
		"host": text("127.0.0.1"), "port": property.New(float64(address.Port)), "password": text(s.password),
		"dialErrorLimit": property.New(0.0),
	}
	for _, extra := range more {
		for name, value := range extra {
			fields[name] = value
			if value.IsNull() {
				delete(fields, name)
			}
		}
	}
	return property.New(fields)
}

func (s *sshServer) serve() {
	config := &ssh.ServerConfig{
		PasswordCallback: func(meta ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if meta.User() == s.user && string(password) == s.password {
				return nil, nil
			}
			return nil, errors.New("no")
		},
		PublicKeyCallback: func(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if s.clientKey != nil && meta.User() == s.user && string(key.Marshal()) == string(s.clientKey.Marshal()) {
				return nil, nil
			}
			return nil, errors.New("no")
		},
	}
	config.AddHostKey(s.hostKey)
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.lock.Lock()
		s.accepted++
		refused := s.accepted <= s.refuse
		s.lock.Unlock()
		switch {
		case refused:
			_ = conn.Close()
		case s.mute:
			s.t.Cleanup(func() { _ = conn.Close() })
			s.muted <- struct{}{}
		default:
			go s.handle(conn, config)
		}
	}
}

func (s *sshServer) tries() int {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.accepted
}

// forwarded is how many connections went through this server.
func (s *sshServer) forwarded() int {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.proxied
}

func (s *sshServer) handle(conn net.Conn, config *ssh.ServerConfig) {
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for open := range channels {
		switch open.ChannelType() {
		case "session":
			if channel, requests, err := open.Accept(); err == nil {
				go s.session(channel, requests)
			}
		case "direct-tcpip":
			go s.forward(open)
		default:
			_ = open.Reject(ssh.UnknownChannelType, "no")
		}
	}
}

func (s *sshServer) session(channel ssh.Channel, requests <-chan *ssh.Request) {
	var env []string
	var cmd *exec.Cmd
	for request := range requests {
		ok := true
		switch request.Type {
		case "env":
			var variable struct{ Name, Value string }
			ok = ssh.Unmarshal(request.Payload, &variable) == nil && slices.Contains(s.acceptEnv, variable.Name)
			if ok {
				env = append(env, variable.Name+"="+variable.Value)
			}
		case "exec":
			cmd = exec.Command("/bin/sh", "-c", string(request.Payload[4:]))
			cmd.Env = append(os.Environ(), env...)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			ok = s.start(cmd, channel)
		case "signal":
			if cmd != nil && cmd.Process != nil {
				_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
			}
		case "subsystem":
			go func() {
				if server, err := sftp.NewServer(channel); err == nil {
					_ = server.Serve()
				}
				_ = channel.Close()
			}()
		default:
			ok = false
		}
		if request.WantReply {
			_ = request.Reply(ok, nil)
		}
		if request.Type == "exec" && ok {
			go s.finish(cmd, channel)
		}
	}
}

// start starts a command. Its input is a pipe, because a command that never reads its input may end as well.
func (s *sshServer) start(cmd *exec.Cmd, channel ssh.Channel) bool {
	cmd.Stdout, cmd.Stderr = channel, channel.Stderr()
	input, err := cmd.StdinPipe()
	if err != nil || cmd.Start() != nil {
		return false
	}
	go func() {
		_, _ = io.Copy(input, channel)
		_ = input.Close()
	}()
	return true
}

// finish waits for a command and tells how it ended.
func (s *sshServer) finish(cmd *exec.Cmd, channel ssh.Channel) {
	_ = cmd.Wait()
	code := binary.BigEndian.AppendUint32(nil, uint32(max(cmd.ProcessState.ExitCode(), 0)))
	_, _ = channel.SendRequest("exit-status", false, code)
	_ = channel.Close()
}

func (s *sshServer) forward(open ssh.NewChannel) {
	var target struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	_ = ssh.Unmarshal(open.ExtraData(), &target)
	conn, err := net.DialTCP("tcp", nil, &net.TCPAddr{IP: net.ParseIP(target.Host), Port: int(target.Port)})
	if err != nil {
		_ = open.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	s.lock.Lock()
	s.proxied++
	s.lock.Unlock()
	channel, requests, err := open.Accept()
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	go func() { _, _ = io.Copy(conn, channel); _ = conn.CloseWrite() }()
	_, _ = io.Copy(channel, conn)
	_ = channel.Close()
}

func publicLine(key ssh.PublicKey) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}
