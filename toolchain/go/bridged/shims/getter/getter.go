// Package getter stands in for HashiCorp's, with what the bridge's converter of Terraform programs calls of it to fetch
// modules. A plugin converts nothing, and the package itself brings the clients of three clouds: half of the random
// plugin's build.
package getter

import "errors"

var errNotThere = errors.New("this build of the plugin fetches no Terraform modules")

// Detectors find out what kind of address a module's source is.
var Detectors []any

// Detect fails.
func Detect(_, _ string, _ []any) (string, error) { return "", errNotThere }

// Get fails.
func Get(_, _ string) error { return errNotThere }

// SourceDirSubdir returns the source as it is, and no directory in it.
func SourceDirSubdir(source string) (string, string) { return source, "" }

// SubdirGlob fails.
func SubdirGlob(_, _ string) (string, error) { return "", errNotThere }

// FolderStorage keeps fetched modules below a directory.
type FolderStorage struct{ StorageDir string }

// Get fails.
func (*FolderStorage) Get(_, _ string, _ bool) error { return errNotThere }

// Dir finds nothing.
func (*FolderStorage) Dir(string) (string, bool, error) { return "", false, nil }
