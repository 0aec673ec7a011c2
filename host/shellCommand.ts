import { $ as zx } from "zx";
import { quoted } from "./shell";

/**
 * Runs a command by the shell that every system has. On its own zx takes bash, quotes in a way of bash's, and runs nothing if there
 * is none.
 */
export const $ = zx({ shell: "/bin/sh", prefix: "", postfix: "", quote: quoted });
