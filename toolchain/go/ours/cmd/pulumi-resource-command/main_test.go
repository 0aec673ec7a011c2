package main

import (
	"slices"
	"testing"
)

func TestThePluginNeverLogs(t *testing.T) {
	got := withoutLogging([]string{"plugin", "--logtostderr", "-v=9", "--tracing", "x", "127.0.0.1:1"})
	if want := []string{"plugin", "--tracing", "x", "127.0.0.1:1"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
