/** What global-setup.js started, for global-teardown.js: both run in jest's main process. */
export const ground = {
  folder: undefined,
  reaper: undefined,
  postgres: undefined,
  redis: undefined,
  adminUrl: undefined,
  run: undefined,
  roles: undefined,
};
