import { z } from "zod";
import { converted, field, membersOf, type PropsOf } from "./fields";
import { flag, id, lines, optionalId, optionalText } from "./schemas";

/** The properties of a cast link. */
export const castFields = {
  /** What KASM's list shows, and by what a stack knows its own; no two in KASM have the same. */
  configName: field("casting_config_name", z.string(), ""),
  /** Last part of the link; no two in KASM have the same. */
  key: field("key", z.string(), ""),
  /** Id of the workspace that it starts. */
  workspaceId: field("image_id", optionalId, ""),
  /** Id of the group that people without a login get; `""` for none. */
  groupId: converted("group_id", optionalId, "", {
    send: (group: string) => (group === "" ? null : group),
    seen: (group) => group,
  }),
  /** Host names of the pages from which it may be opened; empty for all. */
  allowedReferrers: field("allowed_referrers", lines, []),
  /** Whether people without a login may use it. */
  allowAnonymous: field("allow_anonymous", flag, false),
  requireRecaptcha: field("require_recaptcha", flag, false),
  /** Whether it leads to the session that the user already has. */
  allowResume: field("allow_resume", flag, true),
  enableSharing: field("enable_sharing", flag, false),
  disableControlPanel: field("disable_control_panel", flag, false),
  /** The link is for people who know where they go. */
  disableTips: field("disable_tips", flag, true),
  disableFixedResolution: field("disable_fixed_res", flag, false),
  /** What the session opens as `KASM_URL`; `""` for the workspace's own, which knows where it leads. */
  opens: field("kasm_url", optionalText, ""),
  /** Whether the link may name another (`?kasm_url=`), which would open any page. */
  linkMayNameUrl: field("dynamic_kasm_url", flag, false),
  /** Where people are sent when it does not work; `""` for KASM's own page. */
  errorUrl: field("error_url", optionalText, ""),
  /** Whether it ends after so many sessions, or lets an address in only so often. */
  limitSessions: field("limit_sessions", flag, false),
  limitIps: field("limit_ips", flag, false),
  /** Whether the link may name the Docker network of the session. */
  linkMayNameNetwork: field("dynamic_docker_network", flag, false),
  /** Whether it overrules what the groups' settings allow in a session. */
  enforceClientSettings: field("enforce_client_settings", flag, false),
};

/** A cast link as it is declared and as it was seen. */
export type CastProps = PropsOf<typeof castFields>;

/** A cast link as `get_cast_configs` answers it. */
export const castConfig = z.object({ cast_config_id: id, ...membersOf(castFields) });
