-- The tables of KASM that matter here, with the columns that are known.
CREATE TABLE zones (
  zone_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  zone_name varchar(64) UNIQUE NOT NULL,
  allow_origin_domain varchar,
  upstream_auth_address varchar,
  proxy_connections boolean,
  proxy_hostname varchar,
  proxy_path varchar,
  proxy_port integer,
  prioritize_static_agents boolean
);

CREATE TABLE servers (
  server_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  hostname varchar NOT NULL,
  friendly_name varchar,
  zone_id uuid REFERENCES zones,
  enabled boolean DEFAULT true,
  server_type varchar DEFAULT 'host',
  operational_status varchar,
  cores double precision,
  memory bigint,
  gpus double precision DEFAULT 0,
  docker_images json,
  docker_networks json,
  prune_images_mode varchar DEFAULT 'Normal',
  last_reported timestamp
);

CREATE TABLE users (
  user_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  username varchar UNIQUE NOT NULL,
  first_name varchar,
  last_name varchar,
  realm varchar DEFAULT 'local',
  pw_hash varchar,
  salt varchar,
  locked boolean DEFAULT false,
  disabled boolean DEFAULT false,
  created timestamp DEFAULT now(),
  last_session timestamp,
  notes varchar
);

CREATE TABLE groups (
  group_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name varchar UNIQUE NOT NULL,
  description varchar,
  priority integer NOT NULL,
  is_system boolean DEFAULT false,
  group_metadata json
);

CREATE TABLE user_groups (
  user_group_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  group_id uuid NOT NULL REFERENCES groups ON DELETE CASCADE
);

CREATE TABLE group_settings (
  group_setting_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  group_id uuid REFERENCES groups ON DELETE CASCADE,
  name varchar NOT NULL,
  value varchar,
  value_type varchar,
  description varchar
);

-- name and friendly_name are not unique: creating twice makes two tiles.
CREATE TABLE images (
  image_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  cores double precision,
  description varchar,
  docker_registry varchar,
  docker_token varchar,
  docker_user varchar,
  image_src varchar,
  enabled boolean DEFAULT true,
  available boolean DEFAULT false,
  friendly_name varchar,
  hash varchar,
  memory bigint,
  name varchar,
  x_res integer,
  y_res integer,
  run_config json,
  exec_config json,
  volume_mappings json,
  launch_config json,
  categories json,
  persistent_profile_path varchar,
  restrict_to_network boolean DEFAULT false,
  restrict_network_names json,
  allow_network_selection boolean DEFAULT false,
  restrict_to_server boolean DEFAULT false,
  server_id uuid REFERENCES servers,
  restrict_to_zone boolean DEFAULT false,
  zone_id uuid REFERENCES zones,
  filter_policy_id uuid,
  filter_policy_force_disabled boolean DEFAULT false,
  session_time_limit integer,
  require_gpu boolean DEFAULT false,
  gpu_count double precision DEFAULT 0,
  hidden boolean DEFAULT false,
  notes varchar,
  image_type varchar DEFAULT 'Container',
  server_pool_id uuid,
  link_url varchar,
  cpu_allocation_method varchar DEFAULT 'Inherit',
  uncompressed_size_mb integer DEFAULT 0
);

CREATE TABLE group_images (
  group_image_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  group_id uuid NOT NULL REFERENCES groups ON DELETE CASCADE,
  image_id uuid NOT NULL REFERENCES images ON DELETE CASCADE
);

CREATE TABLE cast_configs (
  cast_config_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  casting_config_name varchar UNIQUE NOT NULL,
  key varchar UNIQUE NOT NULL,
  image_id uuid REFERENCES images,
  group_id uuid REFERENCES groups,
  allowed_referrers json,
  limit_sessions boolean,
  session_remaining integer,
  limit_ips boolean,
  ip_request_limit integer,
  ip_request_seconds integer,
  error_url varchar,
  enable_sharing boolean,
  disable_control_panel boolean,
  disable_tips boolean,
  disable_fixed_res boolean,
  allow_anonymous boolean,
  require_recaptcha boolean,
  kasm_url varchar,
  dynamic_kasm_url boolean,
  dynamic_docker_network boolean,
  allow_resume boolean,
  enforce_client_settings boolean,
  allow_kasm_audio boolean,
  allow_kasm_uploads boolean,
  allow_kasm_downloads boolean,
  allow_kasm_clipboard_down boolean,
  allow_kasm_clipboard_up boolean,
  allow_kasm_microphone boolean,
  allow_kasm_sharing boolean,
  allow_kasm_gamepad boolean,
  allow_kasm_webcam boolean,
  allow_kasm_printing boolean,
  kasm_audio_default_on boolean,
  kasm_ime_mode_default_on boolean,
  valid_until timestamp,
  remote_app_configs json
);

-- Live sessions only: an ended one is forgotten.
CREATE TABLE kasms (
  kasm_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  container_id varchar,
  cores double precision,
  gpus double precision,
  memory bigint,
  hostname varchar,
  container_ip varchar,
  operational_status varchar,
  operational_message varchar,
  operational_progress integer,
  server_id uuid REFERENCES servers,
  start_date timestamp,
  created_date timestamp,
  keepalive_date timestamp,
  expiration_date timestamp,
  user_id uuid REFERENCES users,
  image_id uuid REFERENCES images,
  share_id varchar,
  is_standby boolean DEFAULT false,
  staging_config_id uuid,
  cast_config_id uuid REFERENCES cast_configs,
  docker_network varchar,
  docker_environment json
);

CREATE TABLE api_configs (
  api_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name varchar UNIQUE NOT NULL,
  api_key varchar UNIQUE NOT NULL,
  api_key_secret_hash varchar,
  salt varchar,
  enabled boolean DEFAULT true,
  read_only boolean DEFAULT false,
  created timestamp DEFAULT now(),
  last_used timestamp,
  expires timestamp
);

-- A permission belongs to a group or to an API key.
CREATE TABLE group_permissions (
  group_permission_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  group_id uuid REFERENCES groups ON DELETE CASCADE,
  api_id uuid REFERENCES api_configs ON DELETE CASCADE,
  permission_id integer NOT NULL
);

CREATE TABLE settings (
  setting_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  category varchar NOT NULL,
  name varchar NOT NULL,
  value varchar,
  value_type varchar,
  title varchar,
  description varchar
);
