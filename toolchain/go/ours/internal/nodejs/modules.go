// Package nodejs serves programs written for Node.js to the engine: it finds their npm packages and runs them.
package nodejs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// sdk is the npm package that carries everything of Pulumi's that runs inside Node.js.
const sdk = "@pulumi/pulumi"

// FindScript returns the path of one of the SDK's own scripts (as "run" or "dynamic-provider"), looked up from dir
// upwards as Node.js does. The error says how to get the SDK when it isn't installed.
func FindScript(dir, name string) (string, error) {
	start, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for at := start; ; at = filepath.Dir(at) {
		script := filepath.Join(at, "node_modules", sdk, "cmd", name)
		if _, err := os.Stat(filepath.Join(script, "index.js")); err == nil {
			return script, nil
		}
		if at == filepath.Dir(at) {
			// The engine recognizes a policy pack without its packages by Node's own words.
			return "", fmt.Errorf("Cannot find module '%s/cmd/%s' from %s: run npm install there", sdk, name, start)
		}
	}
}

// manifest is what matters here of a package.json.
type manifest struct {
	Name            string            `json:"name"`
	Version         string            `json:"version"`
	Dependencies    map[string]string `json:"dependencies"`
	DevDependencies map[string]string `json:"devDependencies"`
	Pulumi          *pulumiField      `json:"-"`
}

// pulumiField is how an npm package says that it needs a plugin, and which.
type pulumiField struct {
	Resource         bool              `json:"resource"`
	Name             string            `json:"name"`
	Version          string            `json:"version"`
	Server           string            `json:"server"`
	Parameterization *parameterization `json:"parameterization"`
}

type parameterization struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Value   []byte `json:"value"`
}

func readManifest(path string) (manifest, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return manifest{}, err
	}
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return manifest{}, fmt.Errorf("%s is no valid package.json: %w", path, err)
	}
	// Packages of other makers may use the key "pulumi" for anything: only an object with our keys counts.
	var p struct {
		Pulumi pulumiField `json:"pulumi"`
	}
	if json.Unmarshal(text, &p) == nil {
		m.Pulumi = &p.Pulumi
	}
	return m, nil
}

// installed lists the packages in the node_modules folders that a program in dir sees, the nearest first, with those
// nested below them. Packages that can't be read are left out: they are Node's to complain about.
func installed(dir string) ([]manifest, error) {
	start, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	var all []manifest
	for at := start; ; at = filepath.Dir(at) {
		found, err := scan(filepath.Join(at, "node_modules"))
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
		if at == filepath.Dir(at) {
			return all, nil
		}
	}
}

func scan(modules string) ([]manifest, error) {
	entries, err := os.ReadDir(modules)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []manifest
	for _, entry := range entries {
		name, path := entry.Name(), filepath.Join(modules, entry.Name())
		if strings.HasPrefix(name, ".") {
			continue
		}
		if strings.HasPrefix(name, "@") {
			scoped, err := scan(path)
			if err != nil {
				return nil, err
			}
			all = append(all, scoped...)
			continue
		}
		if m, err := readManifest(filepath.Join(path, "package.json")); err == nil {
			all = append(all, m)
		}
		// A linked package can lead back to where the search came from; what it needs is its own business.
		if entry.Type()&fs.ModeSymlink == 0 {
			nested, err := scan(filepath.Join(path, "node_modules"))
			if err != nil {
				return nil, err
			}
			all = append(all, nested...)
		}
	}
	return all, nil
}

// plugin is one that a program's npm packages ask for.
type plugin struct {
	name, version, server string
	parameterization      *parameterization
}

// requiredPlugins lists the plugins that the packages seen from dir ask for, each version once, by name.
func requiredPlugins(dir string) ([]plugin, error) {
	packages, err := installed(dir)
	if err != nil {
		return nil, err
	}
	var plugins []plugin
	seen := map[string]bool{}
	for _, m := range packages {
		if m.Pulumi == nil || !m.Pulumi.Resource {
			continue
		}
		p := plugin{m.Pulumi.Name, m.Pulumi.Version, m.Pulumi.Server, m.Pulumi.Parameterization}
		if p.name == "" {
			p.name = pluginName(m.Name)
		}
		if p.version == "" {
			p.version = m.Version
		}
		if p.version != "" && !strings.HasPrefix(p.version, "v") {
			p.version = "v" + p.version
		}
		key := p.name + "@" + p.version
		if p.parameterization != nil {
			key += "/" + p.parameterization.Name + "@" + p.parameterization.Version
		}
		if !seen[key] {
			seen[key] = true
			plugins = append(plugins, p)
		}
	}
	sort.SliceStable(plugins, func(i, j int) bool { return plugins[i].name < plugins[j].name })
	return plugins, nil
}

// pluginName derives the plugin of a package that doesn't name it: @pulumi/docker has "docker", @me/thing "me-thing".
func pluginName(npm string) string {
	if name, ok := strings.CutPrefix(npm, "@pulumi/"); ok {
		return name
	}
	return strings.ReplaceAll(strings.TrimPrefix(npm, "@"), "/", "-")
}
