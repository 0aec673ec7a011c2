//go:build !linux

package child

import "syscall"

// dieWithParent does nothing here: only Linux tells a child of its parent's death. The signals that the engine sends
// to the plugin's process group still reach the child.
func dieWithParent(*syscall.SysProcAttr) {}
