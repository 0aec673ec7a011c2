import { createHmac } from "node:crypto";
import type { KasmConnectionArgs } from "../kasmWorkspaceRegistration";
import type { GroupRole } from "./oidc";

/** People of groups of KASM, who get a login with a generated password. */
export interface KasmPeopleArgs {
  /** How KASM's Developer API is reached. */
  readonly kasm: KasmConnectionArgs;
  /** The groups, each with a role. Of several groups of a person the first one here counts. */
  readonly groups: readonly GroupRole[];
}

/**
 * Returns the password of someone in a group of KASM: 32 letters and digits that follow from one secret, because who is in a
 * group is not known when a program declares its resources.
 */
export function kasmPassword(secret: string, name: string): string {
  const digest = createHmac("sha512", secret).update(name).digest("base64");
  return digest.replaceAll(/[^A-Za-z0-9]/g, "").slice(0, 32);
}
