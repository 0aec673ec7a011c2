package child

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// helper makes the test binary act as a plugin that prints its pid and waits for the end of its context.
const helper = "CHILD_TEST_HELPER"

func TestMain(m *testing.M) {
	if os.Getenv(helper) != "" {
		ctx, stop := Context()
		defer stop()
		fmt.Println(os.Getpid())
		<-ctx.Done()
		_, _ = os.Stdout.WriteString("ended")
		return
	}
	os.Exit(m.Run())
}

func TestContextEndsWithSignals(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		cmd := exec.Command(os.Args[0])
		out, _ := startPlugin(t, cmd)
		_ = cmd.Process.Signal(signal)
		rest, _ := io.ReadAll(out)
		if err := cmd.Wait(); err != nil || string(rest) != "ended" {
			t.Errorf("%v: %v, %q", signal, err, rest)
		}
	}
}

func TestContextEndsWhenTheParentIsKilled(t *testing.T) {
	// The shell is the engine here: it starts the plugin and is killed.
	cmd := exec.Command("/bin/sh", "-c", os.Args[0]+" & wait")
	_, pid := startPlugin(t, cmd)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	expectGone(t, pid)
}

// startPlugin starts a command that starts the helper, and gives its pid once it waits, with the rest of its output.
func startPlugin(t *testing.T, cmd *exec.Cmd) (*bufio.Reader, int) {
	t.Helper()
	cmd.Env = append(os.Environ(), helper+"=1")
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(pipe)
	line, err := out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return out, number(t, line)
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// writer is a function that gets what a command prints.
type writer func(string)

func (w writer) Write(p []byte) (int, error) {
	w(string(p))
	return len(p), nil
}

func TestGroupTakesItsChildrenAlong(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cmd := Group(ctx, "/bin/sh", "-c", "sleep 60 & echo $!; wait")
	var pid string
	cmd.Stdout = writer(func(text string) {
		pid = text
		cancel()
	})
	if err := Run(cmd); err == nil {
		t.Error("expected the end by a signal")
	}
	expectGone(t, number(t, pid))
}

func TestAChildThatIgnoresTheRequestIsKilled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cmd := Command(ctx, "/bin/sh", "-c", "trap '' TERM; echo; while :; do sleep 0.1; done")
	cmd.Stdout = writer(func(string) { cancel() })
	_ = Run(cmd)
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Errorf("ended with %v", cmd.ProcessState)
	}
}

func expectGone(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		// A zombie, which its parent has not waited for yet, counts as gone.
		state, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if syscall.Kill(pid, 0) != nil || (err == nil && strings.Contains(string(state), ") Z ")) {
			return
		}
	}
	t.Errorf("process %d is still there", pid)
}
