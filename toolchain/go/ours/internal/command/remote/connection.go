// Package remote runs commands and copies files on other machines over SSH.
package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	provider "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// Defaults of a connection.
const (
	defaultUser           = "root"
	defaultPort           = 22
	defaultDialErrorLimit = 10
	defaultPerDialTimeout = 15
)

// agentVariable names the socket of the user's SSH agent.
const agentVariable = "SSH_AUTH_SOCK"

// Endpoint is how to log in on one machine.
type Endpoint struct {
	Host               string   `pulumi:"host"`
	Port               *float64 `pulumi:"port,optional"`
	User               *string  `pulumi:"user,optional"`
	Password           *string  `pulumi:"password,optional"`
	PrivateKey         *string  `pulumi:"privateKey,optional"`
	PrivateKeyPassword *string  `pulumi:"privateKeyPassword,optional"`
	AgentSocketPath    *string  `pulumi:"agentSocketPath,optional"`
	HostKey            *string  `pulumi:"hostKey,optional"`
	DialErrorLimit     *int     `pulumi:"dialErrorLimit,optional"`
	PerDialTimeout     *int     `pulumi:"perDialTimeout,optional"`
}

// Annotate describes the fields and sets their defaults.
func (e *Endpoint) Annotate(a infer.Annotator) {
	a.Describe(&e.Host, "Name or address of the machine.")
	a.Describe(&e.Port, "Port of its SSH server.")
	a.SetDefault(&e.Port, defaultPort)
	a.Describe(&e.User, "User to log in as.")
	a.SetDefault(&e.User, defaultUser)
	a.Describe(&e.Password, "Password of the user.")
	a.Describe(&e.PrivateKey, "Text of a private key, which is tried before the password.")
	a.Describe(&e.PrivateKeyPassword, "Passphrase of the private key.")
	a.Describe(&e.AgentSocketPath, "Socket of an SSH agent; that in "+agentVariable+" by default.")
	a.Describe(&e.HostKey, "The host key to expect, as in a known_hosts or .pub file. Any is taken when this is not set.")
	a.Describe(&e.DialErrorLimit, "How many failed tries to connect are taken before it is an error; -1 for any number.")
	a.SetDefault(&e.DialErrorLimit, defaultDialErrorLimit)
	a.Describe(&e.PerDialTimeout, "How many seconds each try may take; 0 for any time.")
	a.SetDefault(&e.PerDialTimeout, defaultPerDialTimeout)
}

// Proxy is a machine that the connection goes through.
type Proxy struct{ Endpoint }

// Connection is how to log in on a machine, possibly through another one.
type Connection struct {
	Endpoint

	Proxy *Proxy `pulumi:"proxy,optional"`
}

// Annotate describes the fields.
func (c *Connection) Annotate(a infer.Annotator) {
	a.Describe(&c.Proxy, "A machine to connect through.")
}

// config prepares the login. Errors name the field, never its value. close releases the agent's socket.
func (e *Endpoint) config(field string) (config *ssh.ClientConfig, release func(), err error) {
	release = func() {}
	config = &ssh.ClientConfig{
		User:            value(e.User, defaultUser),
		Timeout:         e.timeout(),
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), //nolint:gosec // the documented default without hostKey
	}
	if e.HostKey != nil {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(*e.HostKey))
		if err != nil {
			return nil, release, fmt.Errorf("%s.hostKey is no SSH public key: %w", field, err)
		}
		config.HostKeyCallback = ssh.FixedHostKey(key)
		config.HostKeyAlgorithms = algorithms(key.Type())
	}
	if e.PrivateKey != nil {
		var signer ssh.Signer
		if e.PrivateKeyPassword != nil {
			signer, err = ssh.ParsePrivateKeyWithPassphrase([]byte(*e.PrivateKey), []byte(*e.PrivateKeyPassword))
		} else {
			signer, err = ssh.ParsePrivateKey([]byte(*e.PrivateKey))
		}
		if err != nil {
			return nil, release, fmt.Errorf("%s.privateKey can't be read: %w", field, err)
		}
		config.Auth = append(config.Auth, ssh.PublicKeys(signer))
	}
	if e.Password != nil {
		config.Auth = append(config.Auth, ssh.Password(*e.Password),
			ssh.KeyboardInteractive(func(_, _ string, questions []string, _ []bool) ([]string, error) {
				answers := make([]string, len(questions))
				for i := range answers {
					answers[i] = *e.Password
				}
				return answers, nil
			}))
	}
	socket, given := os.Getenv(agentVariable), e.AgentSocketPath != nil
	if given {
		socket = *e.AgentSocketPath
	}
	if socket == "" {
		return config, release, nil
	}
	conn, err := net.Dial("unix", socket)
	if err == nil {
		config.Auth = append(config.Auth, ssh.PublicKeysCallback(agent.NewClient(conn).Signers))
		return config, func() { _ = conn.Close() }, nil
	}
	// A socket left over in the environment is no reason to fail when there is another way to log in.
	if given || len(config.Auth) == 0 {
		return nil, release, fmt.Errorf("%s: the SSH agent does not answer: %w", field, err)
	}
	return config, release, nil
}

// algorithms are the signatures that a host key of one type can make.
func algorithms(keyType string) []string {
	if keyType == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{keyType}
}

func (e *Endpoint) address() string {
	return net.JoinHostPort(e.Host, strconv.Itoa(int(value(e.Port, defaultPort))))
}

func (e *Endpoint) timeout() time.Duration {
	return time.Duration(value(e.PerDialTimeout, defaultPerDialTimeout)) * time.Second
}

// client is an open connection.
type client struct {
	*ssh.Client
	release []func()
}

// Close ends the connection and what it went through.
func (c *client) Close() {
	if c.Client != nil {
		_ = c.Client.Close()
	}
	for i := len(c.release) - 1; i >= 0; i-- {
		c.release[i]()
	}
}

// Dial connects, trying again while a machine may still be starting. The end of ctx ends the tries; an open connection
// is the caller's to close.
func (c *Connection) Dial(ctx context.Context) (*client, error) {
	result := &client{}
	if err := c.dial(ctx, result); err != nil {
		result.Close()
		return nil, err
	}
	return result, nil
}

func (c *Connection) dial(ctx context.Context, result *client) error {
	config, release, err := c.config("connection")
	result.release = append(result.release, release)
	if err != nil {
		return err
	}
	through := func(ctx context.Context, address string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", address)
	}
	if c.Proxy != nil {
		proxyConfig, release, err := c.Proxy.config("connection.proxy")
		result.release = append(result.release, release)
		if err != nil {
			return err
		}
		bastion, err := c.Proxy.connect(ctx, through, proxyConfig)
		if err != nil {
			return fmt.Errorf("proxy: %w", err)
		}
		result.release = append(result.release, func() { _ = bastion.Close() })
		through = func(ctx context.Context, address string) (net.Conn, error) {
			return bastion.DialContext(ctx, "tcp", address)
		}
	}
	result.Client, err = c.connect(ctx, through, config)
	return err
}

// connect tries until a login succeeds or the limit of errors is passed. The pauses grow from 0.1 s to 5 s.
func (e *Endpoint) connect(
	ctx context.Context, dial func(context.Context, string) (net.Conn, error), config *ssh.ClientConfig,
) (*ssh.Client, error) {
	limit, pause := value(e.DialErrorLimit, defaultDialErrorLimit), 100*time.Millisecond
	for failures := 1; ; failures++ {
		client, err := e.try(ctx, dial, config)
		if err == nil {
			return client, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("connecting to %s was stopped: %w", e.address(), ctx.Err())
		}
		if limit >= 0 && failures > limit {
			return nil, fmt.Errorf("can't connect to %s, after %d failed tries: %w", e.address(), failures, err)
		}
		provider.GetLogger(ctx).DebugStatusf("try %d to connect to %s failed: %v", failures, e.address(), err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(pause*3/2, 5*time.Second)
	}
}

func (e *Endpoint) try(
	ctx context.Context, dial func(context.Context, string) (net.Conn, error), config *ssh.ClientConfig,
) (*ssh.Client, error) {
	if limit := e.timeout(); limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %v", limit))
		defer cancel()
	}
	conn, err := dial(ctx, e.address())
	if err != nil {
		return nil, err
	}
	// The handshake knows no context; closing the connection ends it.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	sshConn, channels, requests, err := ssh.NewClientConn(conn, e.address(), config)
	if !stop() {
		err = errors.Join(context.Cause(ctx), err)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return ssh.NewClient(sshConn, channels, requests), nil
}

func value[T any](given *T, fallback T) T {
	if given != nil {
		return *given
	}
	return fallback
}
