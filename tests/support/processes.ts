/**
 * Looks again and again at what the processes of a host can be seen to have: the arguments of all, and the environment of
 * those that are in no container, as the gateway is.
 * @param run runs a shell script as root on that host and gives its output
 * @returns ends it, and gives each text that there was, a line each
 */
export function watchProcesses(run: (script: string) => Promise<string>): () => Promise<string> {
  const seen = run(`
    own=$(readlink /proc/self/ns/mnt | tr -dc 0-9)
    until [ -e /run/openclaw-test-enough ]; do
      cat /proc/[0-9]*/cmdline $(find /proc/[0-9]*/ns/mnt -lname "*$own*" -printf '%h/../environ ') 2>/dev/null
      sleep 0.05
    done | tr '\\0' '\\n' | awk '!seen[$0]++'
    rm /run/openclaw-test-enough`);
  return async () => {
    await run("touch /run/openclaw-test-enough");
    return await seen;
  };
}
