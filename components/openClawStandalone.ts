import * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { defaults } from "./defaults";
import { builtImageDemands } from "./gateway/builtImage";
import { coollabsioDemands } from "./gateway/coollabsioImage";
import {
  browserName,
  dashboardPort,
  dataPath,
  type GatewaySettings,
  noCoreDumps,
  type OpenPaths,
  reachable,
  replacedIfStopped,
  sessionUrl,
} from "./gateway/container";
import { DataDirectory } from "./gateway/dataDirectory";
import { splitConfig } from "./gateway/hotConfig";
import { builtInRoles, firstOf, type Person, type Role } from "./gateway/people";
import { gatewaySecrets, readinessVariables } from "./gateway/readiness";
import { withBrowser } from "./gateway/browserConfig";
import { createNetwork } from "./gateway/network";
import { createOffsite, createPause, type OffsiteArgs } from "./gateway/offsite";
import { type KasmPeopleArgs, kasmPassword } from "./gateway/kasmPeople";
import type { OidcArgs } from "./gateway/oidc";
import { type Host, onHost, thisMachine } from "./host";
import { hostScript } from "./hostScript";
import { OpenClawBrowser, type OpenClawBrowserArgs } from "./openClawBrowser";
import { OpenClawImages } from "./openClawImages";
import { ownLabels } from "./ownLabels";
import { KasmMembers } from "../providers/kasm/kasmMembers";

/** Inputs of {@link OpenClawStandalone}. */
export interface OpenClawStandaloneArgs {
  /** The machine that runs it. @default this machine */
  readonly host?: Host | undefined;
  /**
   * The images, which several gateways can share.
   * @default images of its own: the newest supported OpenClaw, built on the host
   * @example new OpenClawImages("images", { host, gateway: { reference: "coollabsio/openclaw:2026.9.6" } })
   */
  readonly images?: GatewayImages | undefined;
  /**
   * Where the gateway keeps its state: a directory of the host (its `data/` is mounted) or a Docker volume.
   * @default on a server the directory /opt/NAME, on this machine the volume NAME-data
   */
  readonly data?:
    { readonly directory: pulumi.Input<string> } | { readonly volume: pulumi.Input<string> };
  /** Whether deleting the component deletes the data too. @default false */
  readonly removeData?: boolean | undefined;
  /** Name of the container. @default the component's name */
  readonly containerName?: pulumi.Input<string> | undefined;
  /** Name of the bridge network that is made for it. @default "CONTAINER-net" */
  readonly networkName?: pulumi.Input<string> | undefined;
  /**
   * Addresses of that network, if Docker's own choice is taken by others.
   * @default Docker's own choice
   * @example "10.99.0.0/24"
   */
  readonly networkSubnet?: pulumi.Input<string> | undefined;
  /** Port on the host. Each gateway of a host needs its own. @default 8180 */
  readonly port?: pulumi.Input<number> | undefined;
  /**
   * IPv4 addresses of the host on which the port is open.
   * @default ["127.0.0.1", "172.17.0.1"], which are the host itself and KASM's sessions on it
   */
  readonly publishAddresses?: pulumi.Input<readonly string[]> | undefined;
  /**
   * Path under which the dashboard lives, `""` for the root.
   * @default the path of the {@link KasmNginxRoute} that is created with it, or else `""`
   */
  readonly basePath?: pulumi.Input<string> | undefined;
  /**
   * Origins from which browsers may open the dashboard, in addition to those of the published addresses and of routes.
   * @default []
   * @example ["https://openclaw.example.com"]
   */
  readonly allowedOrigins?: pulumi.Input<readonly string[]> | undefined;
  /**
   * Paths that are open without the login, for webhooks and API clients; not with a reference of coollabsio's image.
   * @default none
   * @example { webhooks: ["/hooks"], api: ["/v1"] }
   */
  readonly openPaths?: pulumi.Input<OpenPaths> | undefined;
  /**
   * Everybody who may come in, by name (an e-mail address too), each with a role; not with a reference of coollabsio's image. A
   * change reaches the gateway that runs, and whoever is taken out is out at once.
   * @default one admin with username and password
   * @example { "ann@example.com": { role: "admin" }, bob: { role: "observer", password: config.requireSecret("bob") } }
   */
  readonly people?: Readonly<Record<string, Person>> | undefined;
  /** Roles beside admin, member and observer, in the form of OpenClaw's gateway.roles.definitions. @default {} */
  readonly roles?: Readonly<Record<string, Role>> | undefined;
  /**
   * An organisation's login, by OpenID Connect: people of its groups come in beside those of {@link people}; not with a reference
   * of coollabsio's image.
   * @default none
   */
  readonly oidc?: OidcArgs | undefined;
  /**
   * People of groups of KASM, with a role by group and a password each, in addition to {@link people}; not with a reference of
   * coollabsio's image. Each refresh asks KASM who is in the groups.
   * @default none
   */
  readonly kasmPeople?: KasmPeopleArgs | undefined;
  /** User name of the dashboard's login, if there is one person. @default "admin" */
  readonly username?: pulumi.Input<string> | undefined;
  /** Password of that login, 12 to 256 characters; treated as secret. @default 32 generated letters and digits */
  readonly password?: pulumi.Input<string> | undefined;
  /** Token of the gateway; treated as secret. @default 48 generated letters and digits */
  readonly gatewayToken?: pulumi.Input<string> | undefined;
  /**
   * AI provider keys by environment variable name; treated as secret.
   * @default {}
   * @example { ANTHROPIC_API_KEY: config.requireSecret("anthropicKey") }
   */
  readonly providerKeys?: pulumi.Input<Record<string, pulumi.Input<string>>> | undefined;
  /** More of openclaw.json, in which tokens of channels may be; treated as secret. @default {} */
  readonly openclawConfig?: pulumi.Input<Record<string, unknown>> | undefined;
  /**
   * PEM of certificate authorities that the gateway trusts beside the usual ones, where the network re-signs TLS; not with a
   * reference of coollabsio's image.
   * @default none
   */
  readonly extraCa?: pulumi.Input<string> | undefined;
  /** Whether agents get a browser sidecar, or the sidecar's size. @default false */
  readonly browser?: boolean | Pick<OpenClawBrowserArgs, "cpus" | "memoryMb"> | undefined;
  /**
   * Backups of its data off the machine, encrypted, to a storage that speaks S3, once a day; not with a reference of
   * coollabsio's image.
   * @default none
   */
  readonly offsite?: OffsiteArgs | undefined;
  /** Processor cores that the container may use. @default 2 */
  readonly cpus?: number | undefined;
  /** Memory limit of the container in MiB, without swap on top; 2048 is the least. @default 4096 */
  readonly memoryMb?: number | undefined;
  /** Seconds that the dashboard may take to answer before the deployment fails. @default 180 */
  readonly readyTimeoutSeconds?: number | undefined;
}

/** The images that a gateway and its browser sidecar run. */
export type GatewayImages = Pick<OpenClawImages, "gateway" | "browser" | "kind"> &
  Partial<Pick<OpenClawImages, "offsite" | "hasOidc">>;

/** What a route through a proxy adds to its gateway. */
export interface GatewayRoute {
  /** Path of the proxy's address that leads to the gateway; none if all of the address does. */
  readonly path?: pulumi.Input<string> | undefined;
  /** Origin of the dashboard in browsers. */
  readonly origin: pulumi.Input<string>;
}

/** Where a gateway is, as plain values. */
type Place = pulumi.Unwrap<ReturnType<OpenClawStandalone["place"]>>;

/**
 * OpenClaw's gateway as one container with a network of its own: its data, generated credentials, the container, and
 * a check that the dashboard really answers, without which a deployment is not done.
 * @example
 * new OpenClawStandalone("openclaw")
 */
export class OpenClawStandalone extends pulumi.ComponentResource {
  /** Where the dashboard answers, one URL for each published address. */
  readonly urls: pulumi.Output<string[]>;
  /** Where the dashboard answers KASM's sessions on the same host. */
  readonly sessionUrl: pulumi.Output<string>;
  /** User name of the login; of several people the first one's by name. */
  readonly username: pulumi.Output<string>;
  /** Password of that login; secret. */
  readonly password: pulumi.Output<string>;
  /** The role of everybody who may come in, by name. */
  readonly people: pulumi.Output<Record<string, string>>;
  /** The password of everybody who may come in, by name; secret. */
  readonly passwords: pulumi.Output<Record<string, string>>;
  /** Token of the gateway; secret. */
  readonly gatewayToken: pulumi.Output<string>;
  /** Password of the backups off the machine, without which they can't be read; secret. Nothing without such. */
  readonly offsitePassword: pulumi.Output<string> | undefined;
  /** Id of the running container. */
  readonly containerId: pulumi.Output<string>;
  /** Name of the container. */
  readonly containerName: pulumi.Output<string>;
  /** Name of the network that the container is on. */
  readonly networkName: pulumi.Output<string>;
  /** Addresses of that network, if they were given. */
  readonly networkSubnet: pulumi.Input<string> | undefined;
  /** Port of the host that leads to the dashboard. */
  readonly port: pulumi.Output<number>;
  /** Path under which the dashboard lives, `""` for the root. */
  readonly basePath: pulumi.Output<string>;
  /** Whether its data outlives it; for the policy pack, to which the engine shows no `retainOnDelete`. */
  readonly keepsData: boolean;
  /** The machine that it is on. */
  readonly host: Host;
  /** The images that its containers are made from. */
  readonly images: GatewayImages;

  private readonly routes: GatewayRoute[] = [];
  private isPlaced = false;

  constructor(
    name: string,
    args: OpenClawStandaloneArgs = {},
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("openclaw:index:OpenClawStandalone", name, {}, onHost(args.host, opts));

    this.host = args.host ?? thisMachine;
    this.images = args.images ?? this.ownImages(name, args);
    const place = pulumi.output(this.place(name, args));
    const gateway = this.gatewaySettings(name, args, place);
    const network = createNetwork(name, place.networkName, args.networkSubnet, { parent: this });
    const data = this.data(name, args);
    const pause =
      args.offsite && createPause(name, pulumi.output(place.containerName), { parent: this });
    const container = this.container(name, args, { place, gateway, network, data, pause });
    this.browser(name, args, place, network);
    const told = this.tellPeople(name, args.roles, gateway, container);
    const ready = this.readiness(name, place, gateway, container, told);
    this.offsitePassword = this.offsite(name, args, { place, network, data, pause, ready });

    this.username = pulumi.output(gateway.username);
    this.password = gateway.password;
    this.people = pulumi.unsecret(gateway.people.apply((all) => valuesOf(all, ({ role }) => role)));
    this.passwords = gateway.people.apply((all) => valuesOf(all, ({ password }) => password));
    this.gatewayToken = gateway.token;
    this.containerId = container.id;
    this.containerName = place.containerName;
    this.networkName = network.name;
    this.networkSubnet = args.networkSubnet;
    this.port = place.port;
    this.basePath = place.basePath;
    this.keepsData = args.removeData !== true;
    // Known only once the dashboard has answered.
    this.urls = pulumi.all([place, ready.id]).apply(([known]) => dashboardUrls(known));
    this.sessionUrl = pulumi.all([place, ready.id]).apply(([known]) => sessionUrl(known));
    this.registerOutputs({
      urls: this.urls,
      password: this.password,
      people: this.people,
      passwords: this.passwords,
      gatewayToken: this.gatewayToken,
      offsitePassword: this.offsitePassword,
      containerId: this.containerId,
      networkName: this.networkName,
      keepsData: this.keepsData,
    });
  }

  /**
   * Makes a route known to the gateway, which takes its path and lets its origin in. Routes are created in the same
   * synchronous part of a program as their gateway.
   * @throws pulumi.ResourceError if the gateway has been declared without it
   */
  addRoute(route: GatewayRoute): void {
    if (this.isPlaced) {
      throw new pulumi.ResourceError(
        "a route of this gateway is created too late for its basePath and allowedOrigins: create it right after the gateway, without an await in between, or give the gateway both",
        this,
      );
    }
    this.routes.push(route);
  }

  /** Everything that names a place, with what is not given; routes add to it until the program's synchronous part ends. */
  private place(name: string, args: OpenClawStandaloneArgs) {
    const containerName = pulumi.output(args.containerName ?? name);
    const routes = this.allRoutes();
    return {
      containerName,
      networkName: args.networkName ?? pulumi.interpolate`${containerName}-net`,
      port: args.port ?? defaults.port,
      publishAddresses: args.publishAddresses ?? [...defaults.publishAddresses],
      basePath:
        args.basePath ??
        routes.apply((all) => all.find(({ path }) => path !== undefined)?.path ?? ""),
      allowedOrigins: pulumi
        .all([args.allowedOrigins ?? [], routes])
        .apply(([given, all]) => [...given, ...all.map(({ origin }) => origin)]),
      publicOrigin: routes.apply((all) => all[0]?.origin ?? ""),
      readyTimeoutSeconds: args.readyTimeoutSeconds ?? defaults.readyTimeoutSeconds,
    };
  }

  private allRoutes(): pulumi.Output<pulumi.Unwrap<GatewayRoute>[]> {
    const declared = new Promise<void>((resolve) => setImmediate(resolve));
    return pulumi.output(
      declared.then(() => {
        this.isPlaced = true;
        return pulumi.output(this.routes);
      }),
    );
  }

  private ownImages(
    name: string,
    { host, browser = false, offsite, oidc }: OpenClawStandaloneArgs,
  ) {
    const parts = {
      withBrowser: browser !== false,
      withOffsite: offsite !== undefined,
      withOidc: oidc !== undefined,
    };
    return new OpenClawImages(name, { host, ...parts }, { parent: this });
  }

  private browser(
    name: string,
    { browser = false }: OpenClawStandaloneArgs,
    place: pulumi.Output<Place>,
    network: docker.Network,
  ): void {
    if (browser === false) {
      return;
    }
    const image = this.images.browser;
    if (image === undefined) {
      throw new pulumi.ResourceError(
        "browser: the images have none; expected OpenClawImages with withBrowser: true",
        this,
      );
    }
    new OpenClawBrowser(
      `${name}-sidecar`,
      {
        image,
        networkName: network.name,
        containerName: place.containerName.apply(browserName),
        ...(browser === true ? {} : browser),
      },
      // It had no parent once: stacks of that time keep theirs.
      { parent: this, aliases: [{ parent: pulumi.rootStackResource }] },
    );
  }

  /** Returns the password of the backups. */
  private offsite(
    name: string,
    { offsite: args, extraCa }: OpenClawStandaloneArgs,
    { place, network, data, pause, ready }: OffsiteParts,
  ): pulumi.Output<string> | undefined {
    if (args === undefined || pause === undefined) {
      return undefined;
    }
    const image = this.images.offsite;
    if (image === undefined) {
      throw new pulumi.ResourceError(
        "offsite: the images have none; expected OpenClawImages with withOffsite: true",
        this,
      );
    }
    const password = this.given(args.password) ?? this.generated(`${name}-offsite-password`, 48);
    const gateway = pulumi.output(place.containerName);
    createOffsite(
      name,
      {
        ...{ args, password, gateway, image, pause, extraCa },
        networkName: network.name,
        data: data.mount,
      },
      { parent: this, dependsOn: [data.resource, ready] },
    );
    return password;
  }

  private gatewaySettings(
    name: string,
    args: OpenClawStandaloneArgs,
    place: pulumi.Output<Place>,
  ): GatewaySettings {
    const ofBuilt = ["openPaths", "extraCa", "offsite", "people", "roles", "oidc", "kasmPeople"];
    for (const key of ofBuilt as (keyof OpenClawStandaloneArgs)[]) {
      if (args[key] !== undefined && this.images.kind !== "built") {
        throw new pulumi.ResourceError(
          `${key}: coollabsio's image takes none; expected an image that is built`,
          this,
        );
      }
    }
    if (args.oidc !== undefined && this.images.hasOidc !== true) {
      throw new pulumi.ResourceError(
        "oidc: the image can't; expected OpenClawImages with withOidc: true",
        this,
      );
    }
    const config = pulumi.all([args.openclawConfig ?? {}, place]);
    const { people, ...login } = this.logins(name, args);
    return {
      ...login,
      people: this.withKasmPeople(name, people, args.kasmPeople),
      token: this.given(args.gatewayToken) ?? this.generated(`${name}-token`, 48),
      providerKeys: pulumi.secret(args.providerKeys ?? {}),
      basePath: place.basePath,
      allowedOrigins: place.apply(browserOrigins),
      openPaths: args.openPaths ?? {},
      extraCa: args.extraCa,
      oidc: args.oidc,
      openclawConfig: pulumi.secret(
        config.apply(([given, { containerName, publicOrigin }]) => {
          const known = withPublicOrigin(given, publicOrigin);
          return args.browser ? withBrowser(known, browserName(containerName)) : known;
        }),
      ),
    };
  }

  /** Everybody who may come in, and whom checks log in as. */
  private logins(
    name: string,
    args: OpenClawStandaloneArgs,
  ): Pick<GatewaySettings, "username" | "password" | "people"> {
    const first = firstOf(Object.keys(args.people ?? {}));
    if (args.people === undefined || first === undefined) {
      const username = args.username ?? defaults.username;
      const password = this.given(args.password) ?? this.generated(`${name}-password`, 32);
      const people = pulumi
        .all([username, password])
        .apply(([who, secret]) => ({ [who]: { role: "admin", password: secret } }));
      return { username, password, people };
    }
    const people = pulumi.all(
      valuesOf(args.people, ({ role, password }, person) => ({
        role,
        password: this.given(password) ?? this.generated(`${name}-password-${person}`, 32),
      })),
    );
    return { username: first, password: people.apply((all) => all[first]?.password ?? ""), people };
  }

  /** Adds the people of KASM's groups; one with the name of a login that is given has that one. */
  private withKasmPeople(
    name: string,
    people: GatewaySettings["people"],
    args: KasmPeopleArgs | undefined,
  ): GatewaySettings["people"] {
    if (args === undefined) {
      return people;
    }
    const { kasm, groups } = args;
    const members = new KasmMembers(
      `${name}-kasm-people`,
      { ...kasm, caPem: kasm.caPem ?? "", fingerprint: kasm.fingerprint ?? "", groups },
      { parent: this },
    );
    const secret = this.generated(`${name}-kasm-passwords`, 48);
    return pulumi.all([people, members.people, secret]).apply(([given, known, secret]) => {
      const names = Object.keys(given).map((each) => each.toLowerCase());
      // A destroy that runs the program creates none that does not exist.
      const all = Object.entries((known as typeof known | undefined) ?? {});
      const others = all.filter(([each]) => !names.includes(each.toLowerCase()));
      const ofKasm = others.map(([each, role]) => {
        return [each, { role, password: kasmPassword(secret, each) }] as const;
      });
      return { ...given, ...Object.fromEntries(ofKasm) };
    });
  }

  /** Tells the gateway of its people, and of the configuration that it takes in without a restart. */
  private tellPeople(
    name: string,
    roles: OpenClawStandaloneArgs["roles"],
    { people, oidc, openclawConfig }: GatewaySettings,
    container: docker.Container,
  ): pulumi.Resource[] {
    if (this.images.kind !== "built") {
      return [];
    }
    const input = pulumi.jsonStringify({
      people,
      roles: { ...builtInRoles, ...roles },
      ...(oidc && { groups: oidc.groups }),
      config: pulumi.output(openclawConfig).apply((config) => splitConfig(config).hot),
    });
    return [
      hostScript(
        `${name}-people`,
        {
          target: this.host.target,
          script: "people.sh",
          variables: { CONTAINER: container.name, INPUT: pulumi.secret(input) },
          triggers: [container.id],
        },
        { parent: this, dependsOn: [container] },
      ),
    ];
  }

  private given(secret: pulumi.Input<string> | undefined): pulumi.Output<string> | undefined {
    return secret === undefined ? undefined : pulumi.secret(secret);
  }

  private generated(name: string, length: number): pulumi.Output<string> {
    // Letters and digits only: people copy it, and it goes through shells, URLs and configuration files.
    const { result } = new random.RandomPassword(
      name,
      { length, special: false },
      { parent: this },
    );
    // A destroy that runs the program ("--run-program") creates none that does not exist.
    return result.apply((text: string | undefined) => text ?? "");
  }

  private data(name: string, args: OpenClawStandaloneArgs): Data {
    const own =
      this.host.address === undefined ? { volume: `${name}-data` } : { directory: `/opt/${name}` };
    const { data = own, removeData = false } = args;
    if ("volume" in data) {
      const volume = new docker.Volume(
        `${name}-data`,
        { name: data.volume, labels: ownLabels(data.volume) },
        // Other labels than it was made with would be another volume, without the data.
        { parent: this, retainOnDelete: !removeData, ignoreChanges: ["labels"] },
      );
      return { resource: volume, mount: { volumeName: volume.name, containerPath: dataPath } };
    }
    const { directory } = data;
    const resource = new DataDirectory(
      `${name}-data`,
      { target: this.host.target, directory, removeData },
      { parent: this },
    );
    const hostPath = pulumi.interpolate`${directory}/data`;
    return { resource, mount: { hostPath, containerPath: dataPath } };
  }

  private container(
    name: string,
    { cpus = defaults.cpus, memoryMb = defaults.memoryMb }: OpenClawStandaloneArgs,
    { place, gateway, network, data, pause }: ContainerParts,
  ): docker.Container {
    const demands =
      this.images.kind === "built" ? builtImageDemands(gateway) : coollabsioDemands(gateway);
    return new docker.Container(
      `${name}-container`,
      {
        ...demands,
        name: place.containerName,
        // OpenClaw locks its data by host name and process: under Docker's random names the next container would wait
        // minutes for the lock of one that was killed.
        hostname: place.containerName,
        image: this.images.gateway,
        restart: "unless-stopped",
        init: true,
        // Docker lists the bindings of one port in an order of its own, which would always differ.
        ports: place.apply(({ publishAddresses, port }) =>
          publishAddresses.map((ip, index) => ({
            internal: dashboardPort + index,
            external: port,
            ip,
          })),
        ),
        networkMode: network.name,
        networksAdvanced: [{ name: network.name }],
        volumes: [data.mount, ...(pause === undefined ? [] : [pause])],
        // As the provider reads it back.
        cpus: cpus.toFixed(1),
        memory: memoryMb,
        memorySwap: memoryMb,
        ulimits: noCoreDumps,
        // A gateway that is in the middle of an answer gets half a minute to finish it.
        stopTimeout: 30,
        destroyGraceSeconds: 30,
        logDriver: "json-file",
        logOpts: { "max-size": "10m", "max-file": "3" },
      },
      { parent: this, dependsOn: [data.resource], ...replacedIfStopped },
    );
  }

  private readiness(
    name: string,
    place: pulumi.Output<Place>,
    gateway: GatewaySettings,
    container: docker.Container,
    told: readonly pulumi.Resource[],
  ): command.local.Command {
    const { username, password, people, oidc, token, providerKeys, openclawConfig } = gateway;
    const clientSecret = oidc === undefined ? [] : [oidc.clientSecret];
    const secrets = pulumi
      .all([people, pulumi.all(clientSecret), token, providerKeys, openclawConfig])
      .apply(([people, others, token, providerKeys, openclawConfig]) => {
        const passwords = [...Object.values(people).map(({ password }) => password), ...others];
        return gatewaySecrets({ passwords, token, providerKeys, openclawConfig }).join("\n");
      });
    const imageKind = this.images.kind;
    return hostScript(
      `${name}-ready`,
      {
        target: this.host.target,
        script: "ready.sh",
        variables: pulumi
          .all([place, username, password, secrets])
          .apply(([known, username, password, secrets]) =>
            readinessVariables(
              { ...known, imageKind, signOn: oidc?.issuer },
              { username, password, secrets },
            ),
          ),
        triggers: [container.id],
      },
      { parent: this, dependsOn: [container, ...told] },
    );
  }
}

/** Returns a record with the same keys and other values. */
function valuesOf<T, V>(all: Readonly<Record<string, T>>, value: (each: T, key: string) => V) {
  return Object.fromEntries(Object.entries(all).map(([key, each]) => [key, value(each, key)]));
}

/** The gateway's data, and how the container mounts it. */
interface Data {
  readonly resource: pulumi.Resource;
  readonly mount: docker.types.input.ContainerVolume;
}

/** What the container is made with. */
interface ContainerParts {
  readonly place: pulumi.Output<Place>;
  readonly gateway: GatewaySettings;
  readonly network: docker.Network;
  readonly data: Data;
  /** How it is stopped for backups off the machine, if it has such. */
  readonly pause: docker.types.input.ContainerVolume | undefined;
}

/** What the container of the backups is made with. */
interface OffsiteParts extends Pick<ContainerParts, "place" | "network" | "data" | "pause"> {
  readonly ready: pulumi.Resource;
}

/**
 * Returns a configuration in which links, OAuth callbacks and the like lead to the route, unless it names an origin of its own.
 * OpenClaw takes none but https.
 */
export function withPublicOrigin(
  config: Readonly<Record<string, unknown>>,
  origin: string,
): Record<string, unknown> {
  const { gateway = {} } = config as { gateway?: object };
  return origin.startsWith("https://")
    ? { ...config, gateway: { publicOrigin: origin, ...gateway } }
    : config;
}

/** URLs of the dashboard, one for each published address. */
export function dashboardUrls(
  args: Pick<Place, "publishAddresses" | "port" | "basePath">,
): string[] {
  return args.publishAddresses.map(
    (address) => `http://${reachable(address)}:${args.port.toString()}${args.basePath}/`,
  );
}

/** Origins from which browsers open the dashboard: the published addresses by number and by name, and those given. */
export function browserOrigins(
  args: Pick<Place, "publishAddresses" | "port" | "allowedOrigins">,
): string[] {
  const hosts = args.publishAddresses.flatMap((address) =>
    reachable(address) === "127.0.0.1"
      ? ["127.0.0.1", "localhost"]
      : [address, "host.docker.internal"],
  );
  const published = hosts.map((host) => `http://${host}:${args.port.toString()}`);
  return [...new Set([...published, ...args.allowedOrigins])];
}
