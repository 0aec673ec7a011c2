package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/pkg/sftp"
	provider "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi-go-provider/infer/types"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// CopyToRemote is the resource command:remote:CopyToRemote. Deleting it leaves the copy where it is.
type CopyToRemote struct{}

// Annotate describes the resource.
func (c *CopyToRemote) Annotate(a infer.Annotator) {
	a.Describe(&c, "Copies a file or directory to another machine, over SFTP. Nothing is removed with the resource.")
}

// CopyArgs are the inputs of CopyToRemote.
type CopyArgs struct {
	Connection *Connection          `pulumi:"connection" provider:"secret"`
	Triggers   *[]any               `pulumi:"triggers,optional" provider:"replaceOnChanges"`
	Source     types.AssetOrArchive `pulumi:"source"`
	RemotePath string               `pulumi:"remotePath"`
}

// Annotate describes the inputs.
func (args *CopyArgs) Annotate(a infer.Annotator) {
	a.Describe(&args.Connection, "How to log in.")
	a.Describe(&args.Triggers, "Any values; a change replaces the resource, which copies again.")
	a.Describe(&args.Source, "A file, a text or a directory. Archives are copied as they are.")
	a.Describe(&args.RemotePath, "Where to copy to. A file goes into an existing directory under its own name; so does "+
		"a directory, unless its path ends with a slash. Directories that are missing on the way are made.")
}

// CopyState is the state of CopyToRemote.
type CopyState struct{ CopyArgs }

var (
	_ infer.CustomCheck[CopyArgs]             = (*CopyToRemote)(nil)
	_ infer.CustomUpdate[CopyArgs, CopyState] = (*CopyToRemote)(nil)
)

func (args *CopyArgs) hash() string {
	if args.Source.Archive != nil {
		return args.Source.Archive.Hash
	}
	return args.Source.Asset.Hash
}

// Check refuses sources that can't be copied.
func (*CopyToRemote) Check(ctx context.Context, req infer.CheckRequest) (infer.CheckResponse[CopyArgs], error) {
	args, failures, err := infer.DefaultCheck[CopyArgs](ctx, req.NewInputs)
	if err != nil || len(failures) > 0 {
		return infer.CheckResponse[CopyArgs]{Inputs: args, Failures: failures}, err
	}
	refuse := func(reason string) {
		failures = append(failures, provider.CheckFailure{Property: "source", Reason: reason})
	}
	file, archive := args.Source.Asset, args.Source.Archive
	switch {
	case file != nil && archive != nil:
		refuse("either an asset or an archive, not both")
	case file == nil && archive == nil:
		// Still unknown in a preview; else the engine has no value of another kind for it.
		if !req.NewInputs.Get("source").HasComputed() {
			refuse("expected an asset or an archive")
		}
	case file != nil && !file.IsPath() && !file.IsText():
		refuse("an asset has to be a file or a text")
	case archive != nil && !archive.IsPath():
		refuse("an archive has to be a file or a directory")
	}
	return infer.CheckResponse[CopyArgs]{Inputs: args, Failures: failures}, nil
}

// Create copies.
func (*CopyToRemote) Create(
	ctx context.Context, req infer.CreateRequest[CopyArgs],
) (infer.CreateResponse[CopyState], error) {
	id, err := resource.NewUniqueHex(req.Name, 8, 0)
	if err == nil && !req.DryRun {
		err = copyTo(ctx, req.Inputs)
	}
	return infer.CreateResponse[CopyState]{ID: id, Output: CopyState{req.Inputs}}, err
}

// Update copies again if the content or the destination changed.
func (*CopyToRemote) Update(
	ctx context.Context, req infer.UpdateRequest[CopyArgs, CopyState],
) (infer.UpdateResponse[CopyState], error) {
	var err error
	if !req.DryRun && (req.Inputs.hash() != req.State.hash() || req.Inputs.RemotePath != req.State.RemotePath) {
		err = copyTo(ctx, req.Inputs)
	}
	return infer.UpdateResponse[CopyState]{Output: CopyState{req.Inputs}}, err
}

func copyTo(ctx context.Context, args CopyArgs) error {
	client, err := args.Connection.Dial(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	stop := context.AfterFunc(ctx, func() { _ = client.Client.Close() })
	defer stop()
	// Writes may overtake each other, which is safe for whole files: after an error the file is not used.
	files, err := sftp.NewClient(client.Client, sftp.UseConcurrentWrites(true))
	if err != nil {
		return fmt.Errorf("the machine offers no SFTP: %w", err)
	}
	defer files.Close()
	target := &tree{files}
	if args.Source.Asset != nil && args.Source.Asset.IsText() {
		return target.text(args.Source.Asset.Text, args.RemotePath)
	}
	source := ""
	if args.Source.Asset != nil {
		source = args.Source.Asset.Path
	} else {
		source = args.Source.Archive.Path
	}
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return target.directory(source, args.RemotePath)
	}
	return target.file(source, args.RemotePath)
}

// tree is the other machine's file system.
type tree struct{ files *sftp.Client }

func (t *tree) text(content, to string) error {
	dir, err := t.isDir(to)
	if err != nil {
		return err
	}
	if dir {
		return fmt.Errorf("%s is a directory there: a text needs the path of a file", to)
	}
	if err := t.mkdir(path.Dir(to)); err != nil {
		return err
	}
	return t.write(strings.NewReader(content), to)
}

func (t *tree) file(from, to string) error {
	dir, err := t.isDir(to)
	if err != nil {
		return err
	}
	if dir {
		to = path.Join(to, filepath.Base(from))
	}
	local, err := os.Open(from)
	if err != nil {
		return err
	}
	defer local.Close()
	if err := t.mkdir(path.Dir(to)); err != nil {
		return err
	}
	return t.write(local, to)
}

func (t *tree) directory(from, to string) error {
	if err := t.mkdir(to); err != nil {
		return err
	}
	if !strings.HasSuffix(from, "/") {
		to = path.Join(to, filepath.Base(from))
	}
	return filepath.WalkDir(from, func(at string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(from, at)
		if err != nil {
			return err
		}
		target := path.Join(to, filepath.ToSlash(below))
		if entry.IsDir() {
			return t.mkdir(target)
		}
		local, err := os.Open(at)
		if err != nil {
			return err
		}
		defer local.Close()
		return t.write(local, target)
	})
}

func (t *tree) write(content io.Reader, to string) error {
	remote, err := t.files.Create(to)
	if err != nil {
		return fmt.Errorf("%s can't be written there: %w", to, err)
	}
	_, err = remote.ReadFrom(content)
	if err = errors.Join(err, remote.Close()); err != nil {
		return fmt.Errorf("%s can't be written there: %w", to, err)
	}
	return nil
}

// mkdir makes a directory and those above it, as far as they are not there already.
func (t *tree) mkdir(at string) error {
	info, err := t.files.Stat(at)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return fmt.Errorf("%s is there and is no directory", at)
	case !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%s can't be looked at there: %w", at, err)
	}
	if err := t.files.MkdirAll(at); err != nil {
		return fmt.Errorf("the directory %s can't be made there: %w", at, err)
	}
	return nil
}

func (t *tree) isDir(at string) (bool, error) {
	info, err := t.files.Stat(at)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%s can't be looked at there: %w", at, err)
	}
	return info.IsDir(), nil
}
