/**
 * Looks again and again at what the processes of a host can be seen to have: the arguments of all, and the environment of
 * those that are root's, which the gateway is not.
 * @param run runs a shell script as root on that host and gives its output
 * @returns ends it, and gives each text that there was, a line each
 */
export function watchProcesses(run: (script: string) => Promise<string>): () => Promise<string> {
  const seen = run(`
    until [ -e /run/openclaw-test-enough ]; do
      cat /proc/[0-9]*/cmdline $(find /proc -maxdepth 1 -name '[0-9]*' -uid 0 -printf '%p/environ ') 2>/dev/null
      sleep 0.05
    done | tr '\\0' '\\n' | awk '!seen[$0]++'
    rm /run/openclaw-test-enough`);
  return async () => {
    await run("touch /run/openclaw-test-enough");
    return await seen;
  };
}
