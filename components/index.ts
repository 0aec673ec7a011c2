/**
 * The public library: OpenClaw on Docker and on KASM Workspaces, for any Pulumi program. Importing it deploys nothing.
 * @packageDocumentation
 */
export { Host, type HostArgs } from "./host";
export {
  type BuiltImage,
  OpenClawImages,
  type OpenClawImagesArgs,
  type PublishedImage,
} from "./openClawImages";
export type { OpenPaths } from "./gateway/container";
export type { OffsiteArgs, OffsiteKeep } from "./gateway/offsite";
export type { KasmPeopleArgs } from "./gateway/kasmPeople";
export type { GroupRole, OidcArgs } from "./gateway/oidc";
export type { Person, Role } from "./gateway/people";
export { OpenClawStandalone, type OpenClawStandaloneArgs } from "./openClawStandalone";
export { OpenClawBrowser, type OpenClawBrowserArgs } from "./openClawBrowser";
export { OverlayNetwork, type OverlayNetworkArgs } from "./overlayNetwork";
export { KasmNginxRoute, type KasmNginxRouteArgs, type RouteServer } from "./kasmNginxRoute";
export { OpenClawKasmImage, type OpenClawKasmImageArgs, type PushArgs } from "./openClawKasmImage";
export {
  type BrowserArgs,
  type CastArgs,
  type DesktopArgs,
  type KasmConnectionArgs,
  KasmWorkspaceRegistration,
  type KasmWorkspaceRegistrationArgs,
  type LinkArgs,
} from "./kasmWorkspaceRegistration";
