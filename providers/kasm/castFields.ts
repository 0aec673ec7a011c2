import { type Fields, plain } from "./fields";
import type { CastRecord } from "./schemas";

/** A cast config, a link that starts a workspace, as it is declared and as it was seen. */
export interface CastProps {
  /** What KASM's list shows, and by what a stack knows its own; no two in KASM have the same. */
  readonly configName: string;
  /** Last part of the link; no two in KASM have the same. */
  readonly key: string;
  /** Id of the workspace that it starts. */
  readonly workspaceId: string;
  /** Id of the group that people without a login get; `""` for none. */
  readonly groupId: string;
  /** Host names of the pages from which it may be opened; empty for all. */
  readonly allowedReferrers: readonly string[];
  /** Whether people without a login may use it. */
  readonly allowAnonymous: boolean;
  readonly requireRecaptcha: boolean;
  /** Whether it leads to the session that the user already has. */
  readonly allowResume: boolean;
  readonly enableSharing: boolean;
  readonly disableControlPanel: boolean;
  readonly disableTips: boolean;
  readonly disableFixedResolution: boolean;
  /** What the session opens as `KASM_URL`; `""` for the workspace's own. */
  readonly opens: string;
  /** Whether the link may name another (`?kasm_url=`). */
  readonly linkMayNameUrl: boolean;
  /** Where people are sent when it does not work; `""` for KASM's own page. */
  readonly errorUrl: string;
  /** Whether it ends after so many sessions, or lets an address in only so often. */
  readonly limitSessions: boolean;
  readonly limitIps: boolean;
  /** Whether the link may name the Docker network of the session. */
  readonly linkMayNameNetwork: boolean;
  /** Whether it overrules what the groups' settings allow in a session. */
  readonly enforceClientSettings: boolean;
}

export const castFields: Fields<CastProps, CastRecord> = {
  configName: plain("casting_config_name"),
  key: plain("key"),
  workspaceId: plain("image_id"),
  groupId: {
    send: (id) => ({ group_id: id === "" ? null : id }),
    seen: (row) => row.group_id,
  },
  allowedReferrers: plain("allowed_referrers"),
  allowAnonymous: plain("allow_anonymous"),
  requireRecaptcha: plain("require_recaptcha"),
  allowResume: plain("allow_resume"),
  enableSharing: plain("enable_sharing"),
  disableControlPanel: plain("disable_control_panel"),
  disableTips: plain("disable_tips"),
  disableFixedResolution: plain("disable_fixed_res"),
  opens: plain("kasm_url"),
  linkMayNameUrl: plain("dynamic_kasm_url"),
  errorUrl: plain("error_url"),
  limitSessions: plain("limit_sessions"),
  limitIps: plain("limit_ips"),
  linkMayNameNetwork: plain("dynamic_docker_network"),
  enforceClientSettings: plain("enforce_client_settings"),
};

/** What every cast config has, as in KASM's own form. */
export const unlimited = {
  limitSessions: false,
  limitIps: false,
  linkMayNameNetwork: false,
  enforceClientSettings: false,
};
