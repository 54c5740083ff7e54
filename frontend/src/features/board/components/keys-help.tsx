import { Modal } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import classes from './keys-help.module.css';

type Props = { isOpen: boolean; onClose: () => void };

export function KeysHelp({ isOpen, onClose }: Props) {
  const { t } = useTranslation();
  const rows: [string[], string][] = [
    [['J', '↓'], t('keys.down')],
    [['K', '↑'], t('keys.up')],
    [['Enter'], t('keys.open')],
    [['/'], t('keys.search')],
    [['V'], t('keys.view')],
    [['?'], t('keys.help')],
    [['Esc'], t('keys.escape')],
  ];
  return (
    <Modal
      opened={isOpen}
      onClose={onClose}
      title={t('keys.title')}
      closeButtonProps={{ 'aria-label': t('app.close') }}
      centered
    >
      <dl className={classes.keys}>
        {rows.map(([keys, words]) => (
          <div key={words} className={classes.row}>
            <dt>
              {keys.map((key, index) => (
                <span key={key}>
                  {index > 0 && <span className={classes.or}> {t('keys.or')} </span>}
                  <kbd>{key}</kbd>
                </span>
              ))}
            </dt>
            <dd>{words}</dd>
          </div>
        ))}
      </dl>
    </Modal>
  );
}
