package command_test

import (
	"archive/zip"
	"errors"
	"os"
	"path/filepath"
	"testing"

	provider "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/archive"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/asset"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
	"golang.org/x/crypto/ssh"
)

const copyToRemote = "command:remote:CopyToRemote"

func parse(t *testing.T, keyText string) any {
	t.Helper()
	key, err := ssh.ParseRawPrivateKey([]byte(keyText))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func fileAsset(t *testing.T, path string) property.Value {
	t.Helper()
	a, err := asset.FromPath(path)
	if err != nil {
		t.Fatal(err)
	}
	return property.New(a)
}

func textAsset(t *testing.T, content string) property.Value {
	t.Helper()
	a, err := asset.FromText(content)
	if err != nil {
		t.Fatal(err)
	}
	return property.New(a)
}

func dirArchive(t *testing.T, path string) property.Value {
	t.Helper()
	a, err := archive.FromPath(path)
	if err != nil {
		t.Fatal(err)
	}
	return property.New(a)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func writeZip(t *testing.T, path string) string {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	packed := zip.NewWriter(file)
	if err := errors.Join(packed.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestCopy(t *testing.T) {
	s := newSSHServer(t, nil)
	from := t.TempDir()
	write(t, from+"/file", "content")
	write(t, from+"/dir/a", "A")
	write(t, from+"/dir/sub/b", "B")
	packed := writeZip(t, from+"/packed.zip")
	for _, test := range []struct {
		name   string
		source property.Value
		to     string
		want   map[string]string
	}{
		{"a file", fileAsset(t, from+"/file"), "new", map[string]string{"new": "content"}},
		{"a file over another", fileAsset(t, from+"/file"), "old", map[string]string{"old": "content"}},
		{"a file into a directory", fileAsset(t, from+"/file"), "there", map[string]string{"there/file": "content"}},
		{"a text", textAsset(t, "words"), "new", map[string]string{"new": "words"}},
		{"a directory", dirArchive(t, from+"/dir"), "new",
			map[string]string{"new/dir/a": "A", "new/dir/sub/b": "B"}},
		{"the content of a directory", dirArchive(t, from+"/dir/"), "there",
			map[string]string{"there/a": "A", "there/sub/b": "B"}},
		{"an archive", dirArchive(t, from+"/packed.zip"), "new", map[string]string{"new": packed}},
		{"a file below what is missing", fileAsset(t, from+"/file"), "no/way/new",
			map[string]string{"no/way/new": "content"}},
		{"a text below what is missing", textAsset(t, "words"), "no/way/new",
			map[string]string{"no/way/new": "words"}},
		{"a directory below what is missing", dirArchive(t, from+"/dir"), "no/way/new",
			map[string]string{"no/way/new/dir/a": "A", "no/way/new/dir/sub/b": "B"}},
		{"the content of a directory below what is missing", dirArchive(t, from+"/dir/"), "no/way/new",
			map[string]string{"no/way/new/a": "A", "no/way/new/sub/b": "B"}},
		{"an archive below what is missing", dirArchive(t, from+"/packed.zip"), "no/way/new",
			map[string]string{"no/way/new": packed}},
	} {
		t.Run(test.name, func(t *testing.T) {
			to := t.TempDir()
			write(t, to+"/old", "before, and longer than what comes")
			write(t, to+"/there/other", "")
			r := newResource(t, copyToRemote)
			state := r.create(inputs{
				"connection": s.connection(), "source": test.source, "remotePath": text(to + "/" + test.to),
			})
			for path, content := range test.want {
				expectFile(t, filepath.Join(to, path), content)
			}
			if !state.Get("connection").Secret() {
				t.Error("the connection is not secret")
			}
		})
	}
}

func TestCopyFailures(t *testing.T) {
	s := newSSHServer(t, nil)
	from, to := t.TempDir(), t.TempDir()
	write(t, from+"/dir/a", "A")
	write(t, to+"/file", "")
	for _, test := range []struct {
		name   string
		source property.Value
		to     string
		want   string
	}{
		{"a text below a file", textAsset(t, "x"), to + "/file/new", to + "/file"},
		{"a directory below a file", dirArchive(t, from+"/dir"), to + "/file/new", to + "/file"},
		{"a text onto a directory", textAsset(t, "x"), to, "is a directory there"},
		{"a directory onto a file", dirArchive(t, from+"/dir"), to + "/file", "is there and is no directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			newResource(t, copyToRemote).createFails(inputs{
				"connection": s.connection(), "source": test.source, "remotePath": text(test.to),
			}, test.want)
		})
	}
}

func TestCopyUpdate(t *testing.T) {
	s := newSSHServer(t, nil)
	to := t.TempDir() + "/file"
	r := newResource(t, copyToRemote)
	in := inputs{"connection": s.connection(), "source": textAsset(t, "one"), "remotePath": text(to)}
	state := r.create(in)

	write(t, to, "touched")
	in["connection"] = s.connection(inputs{"perDialTimeout": property.New(3.0)})
	state = r.update(state, in)
	expectFile(t, to, "touched") // neither content nor destination changed

	in["source"] = textAsset(t, "two")
	state = r.update(state, in)
	expectFile(t, to, "two")

	in["remotePath"] = text(to + "2")
	state = r.update(state, in)
	expectFile(t, to+"2", "two")

	r.delete(state)
	expectFile(t, to+"2", "two") // nothing is removed
}

func TestCopyTriggersReplace(t *testing.T) {
	s := newSSHServer(t, nil)
	in := func(trigger string) inputs {
		return inputs{
			"connection": s.connection(), "source": textAsset(t, "x"), "remotePath": text("/x"),
			"triggers": list(text(trigger)),
		}
	}
	newResource(t, copyToRemote).expectDiff(in("a"), in("b"), diffs{"triggers[0]": provider.UpdateReplace})
}

func TestCopyPreviewConnectsToNothing(t *testing.T) {
	s := newSSHServer(t, nil)
	r := newResource(t, copyToRemote)
	r.must(r.server.Create(provider.CreateRequest{Urn: r.urn, DryRun: true, Properties: r.check(inputs{
		"connection": s.connection(), "source": textAsset(t, "x"), "remotePath": text("/x"),
	})}))
	if s.tries() != 0 {
		t.Error("a preview connected")
	}
}

func TestCopySourcesThatAreRefused(t *testing.T) {
	s := newSSHServer(t, nil)
	remote := &asset.Asset{Sig: resource.AssetSig, URI: "https://example.com/file"}
	r := newResource(t, copyToRemote)
	resp, err := r.server.Check(provider.CheckRequest{Urn: r.urn, Inputs: property.NewMap(inputs{
		"connection": s.connection(), "source": property.New(remote), "remotePath": text("/x"),
	})})
	if err != nil || len(resp.Failures) != 1 || resp.Failures[0].Property != "source" {
		t.Errorf("expected one failure of source, got %v, %v", resp.Failures, err)
	}
}
