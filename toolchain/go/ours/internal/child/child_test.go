package child

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// helper makes the test binary act as a plugin that waits for the end of its context.
const helper = "CHILD_TEST_HELPER"

func TestMain(m *testing.M) {
	if os.Getenv(helper) != "" {
		ctx, stop := Context()
		defer stop()
		<-ctx.Done()
		_, _ = os.Stdout.WriteString("ended")
		return
	}
	os.Exit(m.Run())
}

func TestContextEndsWithSignals(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), helper+"=1")
		var out bytes.Buffer
		cmd.Stdout = &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond)
		_ = cmd.Process.Signal(signal)
		if err := cmd.Wait(); err != nil || out.String() != "ended" {
			t.Errorf("%v: %v, %q", signal, err, out.String())
		}
	}
}

func TestContextEndsWhenTheParentIsKilled(t *testing.T) {
	// The shell is the engine here: it starts the plugin, tells its pid and is killed.
	cmd := exec.Command("/bin/sh", "-c", os.Args[0]+" >/dev/null & echo $!; wait")
	cmd.Env = append(os.Environ(), helper+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 32)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(line[:n])))
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	expectGone(t, pid)
}

func TestGroupTakesItsChildrenAlong(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cmd := Group(ctx, "/bin/sh", "-c", "sleep 60 & echo $!; wait")
	var out bytes.Buffer
	cmd.Stdout = &out
	time.AfterFunc(300*time.Millisecond, cancel)
	if err := Run(cmd); err == nil {
		t.Error("expected the end by a signal")
	}
	pid, err := strconv.Atoi(strings.TrimSpace(out.String()))
	if err != nil {
		t.Fatal(err)
	}
	expectGone(t, pid)
}

func TestAChildThatIgnoresTheRequestIsKilled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(300*time.Millisecond, cancel)
	started := time.Now()
	_ = Run(Command(ctx, "/bin/sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"))
	if took := time.Since(started); took > grace+2*time.Second {
		t.Errorf("took %v", took)
	}
}

func expectGone(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		// A dead process that nobody waited for yet is as good as gone.
		state, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if syscall.Kill(pid, 0) != nil || (err == nil && strings.Contains(string(state), ") Z ")) {
			return
		}
	}
	t.Errorf("process %d is still there", pid)
}
