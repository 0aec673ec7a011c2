import type { shape } from "./schema";

/** What each setting is, for people: the table in docs/settings.md is made of it (`npm run docs`). */
export const descriptions: Readonly<Record<keyof typeof shape, string>> = {
  gatewayImage:
    '"build" makes the gateway image from assets/gateway-image; a reference such as coollabsio/openclaw:2026.9.6 uses that published image instead',
  openclawVersion: "Version of the npm package openclaw in the image that is built",
  baseImage:
    "Debian image with Node 26 under the built image; made from Debian's packages where it can't be pulled",
  imagesFrom:
    "Time from which on the packages in the built images are, for example 2026-11-29T03:10:00Z: another one builds them anew. npm run rebuild sets it",
  maxImageDays:
    "Days after which built images are too old for the policy pack, npm run status and the nightly drift run; 0 for any age",
  packages:
    "Debian packages in the gateway image that is built, for its agents, for example git and python3",
  extraCaFile:
    "PEM file with extra certificate authorities of a network that re-signs TLS, for builds and for the gateway; when empty, builds take the value of NODE_EXTRA_CA_CERTS",
  buildProxy:
    "HTTP proxy by which image builds get their packages, for example http://proxy.example.com:3128; Docker's daemon has its own for pulls, and the gateway openclawConfig.proxy.proxyUrl",
  username: "User name of the dashboard's login",
  password:
    "Password of the dashboard's login, 12 characters or more (secret); generated when not set",
  people:
    "Everybody who may come in, in place of username and password, see docs/operations.md#people: by name (an e-mail address too) the role, and where they differ from the defaults password (secret; generated when not set) and instances",
  roles:
    "Roles beside admin, member and observer, in the form of OpenClaw's gateway.roles.definitions, see docs/operations.md#people",
  oidc: "An organisation's login (OpenID Connect) beside people, see docs/operations.md#an-organisations-login: issuer, clientId, groups (a list of group and role), groupsClaim, scopes; none when empty",
  oidcClientSecret: "Secret of the client in oidc (secret)",
  kasmGroups:
    "Groups of KASM that get logins, see docs/operations.md#people-of-kasms-groups: a list of group and role; none when empty",
  gatewayToken: "Token of the gateway, 24 characters or more (secret); generated when not set",
  providerKeys:
    "AI provider keys by the name of their environment variable, for example ANTHROPIC_API_KEY (secret)",
  openclawConfig:
    "More of OpenClaw's own configuration (openclaw.json), merged under what this program sets; tokens in it are set as secrets (docs/settings.md#secrets)",
  containerName: "Name of the gateway's container",
  networkName: "Name of the gateway's Docker network",
  networkSubnet:
    "Private subnet of that network, for example 10.99.0.0/24, where Docker's own choice is taken by others; each of several instances gets the next one of that size, and more than 20 on a host need it",
  port: "Port on the host that leads to the dashboard",
  publishAddresses:
    "Addresses of the host on which the port is open; loopback and Docker's bridge unless changed",
  basePath: "Path under which the dashboard lives, for example /openclaw; empty for the root",
  allowedOrigins:
    "More origins (scheme://host[:port]) from which browsers may open the dashboard, beside those of the published addresses",
  openPaths:
    'Paths that pass without the dashboard\'s login, see [webhooks and API clients](kasm.md#webhooks-and-api-clients): webhooks and api, for example {"webhooks": ["/hooks"], "api": ["/v1"]}; none unless given',
  directory: "Directory on the host for OpenClaw's files; its data lives in data/ below it",
  dataVolume:
    "Name of a Docker volume for the data, in place of the directory; empty for the directory",
  removeDataOnDestroy: "Whether destroy also removes the data (directory or volume)",
  offsite:
    "Encrypted backups off the machine, each day to a storage that speaks S3, see docs/operations.md#backups-off-the-machine: endpoint, bucket, prefix, time (HH:MM in UTC), keep (daily, weekly, monthly), maxAgeHours, proxy; none when empty",
  offsiteAccessKey: "Access key of the storage in offsite (secret)",
  offsiteSecretKey: "Secret key of the storage in offsite (secret)",
  offsitePassword:
    "Password that encrypts the backups in offsite, 20 characters or more (secret); generated when not set. Without it they can't be read",
  instances:
    "Names of several gateways (docs/operations.md#several-gateways), each with its own container, network, port (the first has openclaw:port), data, login and path; one gateway without a name when empty",
  plan: "Size of all gateways of a host together (docs/operations.md#sizes) by conversations at a time: small (1 to 5; 2 cores, 4 GiB), medium (5 to 20; 4, 8 and a browser) or large (20 and more; 8, 16 and a browser)",
  desktopPlan:
    "Size of desktop sessions by users at a time: one, five or ten, for which the host has to have 2, 10 or 16 cores, 4, 20 or 40 GB of memory and a disk of 10, 50 or 100 GiB; none for no plan",
  browser:
    "Whether each gateway has a browser beside it that its agents drive (sidecar or none); plan for what the plan says",
  cpus: "Processor cores that each gateway may use; 0 for what the plan says",
  memoryMb: "Memory limit of each gateway in MiB, 2048 or more; 0 for what the plan says",
  host: "Server to deploy to over SSH, see docs/kasm.md#the-server (address, port, user, hostKey or hostKeyFile, privateKey or privateKeyFile, jump; or address and sshConfigFile); empty for this machine",
  hosts:
    "More servers for some of several gateways (docs/operations.md#several-hosts), by names: each in the form of host, with privateAddress, at which the KASM server reaches it; all gateways are on host when empty",
  overlay:
    "Network of a Docker swarm by which KASM reaches the gateways on hosts without privateAddress, see docs/operations.md#hosts-in-a-swarm: name, encrypted (true or false), hostSubnet, mtu; empty for none",
  kasmUrl: "Address at which people open KASM, for example https://kasm.example.com",
  kasmDirectory: "Directory of the server in which KASM is installed",
  nginxRoute:
    "How KASM's own nginx leads to the dashboard, see docs/kasm.md#route: mode (none, path or serverName), serverName, directory, fileName, proxyContainer, and webServers and privateAddress for several web servers of KASM",
  kasmAgents:
    "Hosts of openclaw:hosts that are more agents of KASM, beside the KASM server, see docs/kasm.md#several-agents: the desktop tile's directories are created there, and the desktop image is built there unless it is pushed; none when empty",
  kasmImage:
    "A KASM desktop image with OpenClaw in it, see docs/kasm.md#desktop-image: build (true or false), name, baseImage, and push (registry, username) for KASM servers with several agents",
  kasmRegistryPassword: "Password of the login to the registry of kasmImage.push (secret)",
  kasmApiKey: "API key of KASM by which tiles are registered (secret)",
  kasmApiSecret: "Secret of the API key (secret)",
  kasmApiKeyFile:
    "JSON file with api_key and api_key_secret, in place of kasmApiKey and kasmApiSecret",
  kasmCaFile: "PEM file of the authority of KASM's certificate; empty for those that Node knows",
  kasmFingerprint:
    "SHA-256 fingerprint of KASM's certificate, in place of an authority; empty for none",
  workspaces:
    "Tiles on KASM's dashboard, see docs/kasm.md#tiles: any of browser, desktop and link, each an object with what differs from its defaults",
  readyTimeoutSeconds: "How long the dashboard may take to answer before the deployment fails",
};
