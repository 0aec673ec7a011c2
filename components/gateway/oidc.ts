import type * as pulumi from "@pulumi/pulumi";
import { defaults } from "../defaults";

/** An organisation's login, by OpenID Connect. */
export interface OidcArgs {
  /**
   * Address of the provider, as it names itself in its `/.well-known/openid-configuration`.
   * @example "https://sso.example.com/realms/staff"
   */
  readonly issuer: string;
  /** Id of the client that stands for the gateway at the provider. */
  readonly clientId: string;
  /** Secret of that client; treated as secret. */
  readonly clientSecret: pulumi.Input<string>;
  /**
   * The groups that may come in, each with a role. Of several groups of a person the first one here counts. An e-mail address
   * such as `ann@example.com` is a group too, and so are all addresses at a host name: `@example.com`.
   */
  readonly groups: readonly GroupRole[];
  /** The claim that names a person's groups. @default "groups" */
  readonly groupsClaim?: string | undefined;
  /** What the provider is asked for. @default ["openid", "email", "profile"] */
  readonly scopes?: readonly string[] | undefined;
}

/** A group at the provider, and the role of its people. */
export interface GroupRole {
  readonly group: string;
  readonly role: string;
}

/** Debian's module that speaks with the provider (docs/decisions/0033). */
export const oidcPackage = "libapache2-mod-auth-openidc";

/** Returns the part of the image's settings that is not secret and needs a new container. */
export function oidcSettings({ issuer, clientId, groupsClaim, scopes }: OidcArgs) {
  return {
    issuer,
    clientId,
    groupsClaim: groupsClaim ?? defaults.oidc.groupsClaim,
    scopes: scopes ?? defaults.oidc.scopes,
  };
}
