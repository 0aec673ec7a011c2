/** Settings of a gateway on this machine's Docker whose things are named after one test file, on a port of its own. */
export function localSettings(prefix: string, port: number) {
  return {
    containerName: prefix,
    networkName: `${prefix}-net`,
    dataVolume: `${prefix}-data`,
    port,
    publishAddresses: ["127.0.0.1"],
    memoryMb: 2048,
  };
}
