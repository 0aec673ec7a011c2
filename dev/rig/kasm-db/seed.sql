-- What a fresh installation has in it.
INSERT INTO zones (zone_id, zone_name, allow_origin_domain, upstream_auth_address, proxy_connections, proxy_hostname, proxy_path, proxy_port)
VALUES ('5f1d0c39-64d2-4a33-8d44-2f2b5a0a0001', 'default', '$request_host$', '$request_host$', true, '$request_host$', 'desktop', 443);

INSERT INTO servers (server_id, hostname, zone_id, operational_status, cores, memory, docker_networks)
VALUES ('5f1d0c39-64d2-4a33-8d44-2f2b5a0a0002', 'proxy', '5f1d0c39-64d2-4a33-8d44-2f2b5a0a0001', 'running', 4, 16000000000, '["kasm_default_network"]');

INSERT INTO users (user_id, username)
VALUES ('5f1d0c39-64d2-4a33-8d44-2f2b5a0a0003', 'admin@kasm.local'),
       ('5f1d0c39-64d2-4a33-8d44-2f2b5a0a0004', 'user@kasm.local');

INSERT INTO groups (group_id, name, description, priority, is_system)
VALUES ('68d557ac-4cac-42cc-a9f3-1c7c853de0f3', 'All Users', 'Every user', 4095, true),
       ('31aff3a1-a718-4bb2-b1f8-3e5b6a1f0a5c', 'Administrators', 'Administrators', 1, true);

INSERT INTO user_groups (user_id, group_id)
SELECT user_id, '68d557ac-4cac-42cc-a9f3-1c7c853de0f3' FROM users;
INSERT INTO user_groups (user_id, group_id)
SELECT user_id, '31aff3a1-a718-4bb2-b1f8-3e5b6a1f0a5c' FROM users WHERE username = 'admin@kasm.local';

INSERT INTO group_permissions (group_id, permission_id)
VALUES ('68d557ac-4cac-42cc-a9f3-1c7c853de0f3', 100),
       ('31aff3a1-a718-4bb2-b1f8-3e5b6a1f0a5c', 200);

INSERT INTO group_settings (group_id, name, value, value_type)
VALUES ('68d557ac-4cac-42cc-a9f3-1c7c853de0f3', 'allow_persistent_profile', 'True', 'bool');

INSERT INTO settings (category, name, value, value_type)
VALUES ('images', 'add_images_to_default_group', 'True', 'bool');
