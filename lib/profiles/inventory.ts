/** Profiles as an inventory for Ansible, in the form of its JSON inventories; its YAML reader takes that too. */
import type { Profile } from './profile.js';

/** What Ansible takes for the name of a group. */
const GROUP_NAME = /[^A-Za-z0-9_]/g;

/** Every system is a host that is reached from this machine; every group a group. */
export function inventory(profiles: readonly Profile[]): object {
  const groups = new Map<string, Record<string, object>>();
  for (const { name, groups: of } of profiles) {
    for (const group of of) {
      const key = group.replace(GROUP_NAME, '_').replace(/^(?=\d)/, '_');
      groups.set(key, { ...groups.get(key), [name]: {} });
    }
  }
  const hosts = profiles.map(({ name, uri, username }) => [
    name,
    {
      ...{ ansible_connection: 'local', midclt_profile: name, midclt_uri: uri },
      ...(username !== null && { midclt_username: username }),
    },
  ]);
  const children = [...groups].map(([group, members]) => [group, { hosts: members }]);
  return {
    all: {
      hosts: Object.fromEntries(hosts) as object,
      ...(children.length > 0 && { children: Object.fromEntries(children) as object }),
    },
  };
}
