import { Menu, useMantineColorScheme, type MantineColorScheme } from '@mantine/core';
import { useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { SIGN_OUT } from '@/config/addresses';
import { useHospital } from '@/lib/hospital';
import { chooseLanguage, isLanguage, keepLanguage, LANGUAGES } from '@/lib/i18n';
import classes from './shell.module.css';

const SCHEMES = ['auto', 'light', 'dark'] as const;

export function UserMenu() {
  const { t, i18n } = useTranslation();
  const { user, csrf_token: token, version } = useHospital();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const signOut = useRef<HTMLFormElement>(null);
  const name = user?.display_name ?? '';
  const pick = (language: string) => {
    if (!isLanguage(language)) return;
    keepLanguage(language);
    void chooseLanguage(language);
  };
  return (
    <>
      <form ref={signOut} method="post" action={SIGN_OUT} hidden>
        <input type="hidden" name="csrfmiddlewaretoken" value={token} />
      </form>
      <Menu position="bottom-end" width={240} withinPortal>
        <Menu.Target>
          <button type="button" className={classes.user}>
            <span className={classes.initials} aria-hidden="true">
              {initialsOf(name)}
            </span>
            <bdi className={classes.userName} aria-hidden="true">
              {name}
            </bdi>
            <span className="only-heard">{t('app.userMenu', { name })}</span>
          </button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>{t('app.language')}</Menu.Label>
          <Menu.RadioGroup value={i18n.language} onChange={pick}>
            {Object.entries(LANGUAGES).map(([language, { name: own }]) => (
              <Menu.RadioItem key={language} value={language} closeMenuOnClick>
                <span lang={language}>{own}</span>
              </Menu.RadioItem>
            ))}
          </Menu.RadioGroup>
          <Menu.Divider />
          <Menu.Label>{t('app.appearance')}</Menu.Label>
          <Menu.RadioGroup
            value={colorScheme}
            onChange={(scheme) => setColorScheme(scheme as MantineColorScheme)}
          >
            {SCHEMES.map((scheme) => (
              <Menu.RadioItem key={scheme} value={scheme}>
                {t(`app.${scheme}`)}
              </Menu.RadioItem>
            ))}
          </Menu.RadioGroup>
          <Menu.Divider />
          <Menu.Item onClick={() => signOut.current?.submit()}>{t('app.signOut')}</Menu.Item>
          <Menu.Label>{t('app.version', { version })}</Menu.Label>
        </Menu.Dropdown>
      </Menu>
    </>
  );
}

function initialsOf(name: string): string {
  return name
    .split(/\s+/)
    .map((word) => Array.from(word)[0] ?? '')
    .slice(0, 2)
    .join('')
    .toLocaleUpperCase();
}
