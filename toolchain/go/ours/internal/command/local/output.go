package local

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"

	provider "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// Environment variables that carry the output of the previous run into the next one.
const (
	StdoutVariable = "PULUMI_COMMAND_STDOUT"
	StderrVariable = "PULUMI_COMMAND_STDERR"
)

// Logging says which output is shown while a command runs. Capturing it as outputs is not affected.
type Logging string

// The values of Logging. The default is to show both.
const (
	LogStdout Logging = "stdout"
	LogStderr Logging = "stderr"
	LogBoth   Logging = "stdoutAndStderr"
	LogNone   Logging = "none"
)

// Values lists the choices for the schema.
func (Logging) Values() []infer.EnumValue[Logging] {
	return []infer.EnumValue[Logging]{
		{Name: "Stdout", Value: LogStdout, Description: "Show stdout but not stderr"},
		{Name: "Stderr", Value: LogStderr, Description: "Show stderr but not stdout"},
		{Name: "StdoutAndStderr", Value: LogBoth, Description: "Show both"},
		{Name: "None", Value: LogNone, Description: "Show nothing"},
	}
}

// Check returns what is wrong with a given value, if anything.
func (l *Logging) Check() error {
	if l == nil {
		return nil
	}
	switch *l {
	case LogStdout, LogStderr, LogBoth, LogNone:
		return nil
	default:
		return fmt.Errorf("logging: expected stdout, stderr, stdoutAndStderr or none, got %q", string(*l))
	}
}

func (l *Logging) shows(stream Logging) bool { return l == nil || *l == LogBoth || *l == stream }

// Capture collects what one command prints, and shows it line by line as far as Logging says. Its writers may be used
// from several goroutines.
type Capture struct {
	Stdout, Stderr *stream

	lock     sync.Mutex
	combined bytes.Buffer
}

// NewCapture returns a capture that sends its lines to the log of ctx.
func NewCapture(ctx context.Context, logging *Logging) *Capture {
	c := &Capture{}
	show := func(line string) { provider.GetLogger(ctx).InfoStatus(line) }
	c.Stdout, c.Stderr = &stream{capture: c}, &stream{capture: c}
	if logging.shows(LogStdout) {
		c.Stdout.show = show
	}
	if logging.shows(LogStderr) {
		c.Stderr.show = show
	}
	return c
}

// Close shows the last lines that had no end of line.
func (c *Capture) Close() {
	c.Stdout.flush()
	c.Stderr.flush()
}

// Error makes the error of a command that failed. It holds the command's text and output, so neither may hold a
// secret; stdin and environment never appear.
func (c *Capture) Error(cause error, command string) error {
	c.lock.Lock()
	defer c.lock.Unlock()
	return fmt.Errorf("%w: running %q:\n%s", cause, command, c.combined.String())
}

// stream is one of the two outputs.
type stream struct {
	capture *Capture
	show    func(string)
	all     bytes.Buffer
	line    []byte
}

// Write implements io.Writer.
func (s *stream) Write(p []byte) (int, error) {
	s.capture.lock.Lock()
	s.all.Write(p)
	s.capture.combined.Write(p)
	var lines []string
	if s.show != nil {
		s.line = append(s.line, p...)
		for {
			line, rest, found := bytes.Cut(s.line, []byte("\n"))
			if !found {
				break
			}
			lines = append(lines, string(line))
			s.line = rest
		}
	}
	s.capture.lock.Unlock()
	for _, line := range lines {
		s.show(line)
	}
	return len(p), nil
}

// String returns everything written, without one newline at the end.
func (s *stream) String() string {
	s.capture.lock.Lock()
	defer s.capture.lock.Unlock()
	return strings.TrimSuffix(s.all.String(), "\n")
}

func (s *stream) flush() {
	s.capture.lock.Lock()
	rest := string(s.line)
	s.line = nil
	s.capture.lock.Unlock()
	if rest != "" {
		s.show(rest)
	}
}
