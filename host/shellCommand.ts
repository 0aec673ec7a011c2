import { $ as zx } from "zx";
import { quoted } from "./shell";

/**
 * Runs a command by the shell that every system has. On its own zx takes bash, quotes in a way of bash's, and runs nothing if there
 * is none.
 */
export const $ = zx({ shell: "/bin/sh", prefix: "", postfix: "", quote: quoted });

/**
 * Runs one program, and kills it if it takes longer: the `signal` of its outcome is SIGKILL then. The program takes the shell's place,
 * because a shell that lives a moment longer tells of that by an exit status. Docker's CLI takes a politer signal as an answer.
 */
export const within = (seconds: number) =>
  $({
    quiet: true,
    nothrow: true,
    prefix: "exec ",
    timeout: `${seconds}s`,
    timeoutSignal: "SIGKILL",
  });
