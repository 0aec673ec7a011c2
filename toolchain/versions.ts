/**
 * What the toolchain consists of. The plugins have the versions of the npm packages in package.json, because the SDK
 * asks for a plugin by its own version; the CLI is the newest that the Go module proxy carries.
 */
export const versions = {
  cli: "3.250.0",
  /** The oldest CLI on PATH that is taken: the version of the SDK, which may use what older engines lack. */
  oldestCli: "3.248.0",
  plugins: { docker: "5.2.0", random: "4.21.2", command: "1.2.1" },
} as const;

/** A release of Go, for machines that have none. */
export interface GoRelease {
  readonly version: string;
  /** Checksums of its modules by kind of machine, as Go's checksum database has them. */
  readonly sums: Readonly<Record<string, string>>;
}

/**
 * Sums are what `go mod download -json golang.org/toolchain@v0.0.1-goVERSION.MACHINE` prints. It is no part of what a
 * toolchain's folder is named after: any Go that is new enough builds the same programs.
 */
export const goRelease: GoRelease = {
  version: "1.26.8",
  sums: {
    "darwin-amd64": "h1:7/9KPPN8PckcA9s91hm2jmQMhzW4KyTJXHIs45L0C9M=",
    "darwin-arm64": "h1:dFjGhY6f8DTsY8/rLchUTDRRfjJP4pCrGCwxvHFT2Fg=",
    "linux-amd64": "h1:ZOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXM=",
    "linux-arm64": "h1:sYL/O6MqS68ML0kjsQ36WoYIpJqkw60TxizWUYUKQMc=",
  },
};

/** One program of the toolchain: how it is built and where it belongs in the Pulumi home. */
export interface Part {
  /** Name in progress lines. */
  readonly name: string;
  /** Go module below `toolchain/go`. */
  readonly module: string;
  /** Package in that module, or one that it depends on. */
  readonly package: string;
  /** Path of the result in the home. */
  readonly target: string;
  /** Additional linker flags. */
  readonly ldflags?: string;
}

/** The CLI with the programs that have to lie beside it. The vendor's download carries all of them. */
export const cliParts: readonly Part[] = [
  {
    name: "the Pulumi CLI",
    module: "cli",
    package: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    target: "bin/pulumi",
    ldflags: `-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${versions.cli}`,
  },
  {
    name: "the language host",
    module: "ours",
    package: "./cmd/pulumi-language-nodejs",
    target: "bin/pulumi-language-nodejs",
  },
  {
    name: "the launcher of dynamic providers",
    module: "ours",
    package: "./cmd/pulumi-resource-pulumi-nodejs",
    target: "bin/pulumi-resource-pulumi-nodejs",
  },
];

const plugin = (name: keyof typeof versions.plugins, module: string): Part => ({
  name: `the ${name} plugin`,
  module,
  package: `./cmd/pulumi-resource-${name}`,
  target: pluginFile(name),
});

/** The provider plugins. */
export const pluginParts: readonly Part[] = [
  plugin("docker", "bridged"),
  plugin("random", "bridged"),
  plugin("command", "ours"),
];

/** Where the engine looks for a plugin, relative to the Pulumi home. */
export function pluginFile(name: keyof typeof versions.plugins): string {
  return `plugins/resource-${name}-v${versions.plugins[name]}/pulumi-resource-${name}`;
}
