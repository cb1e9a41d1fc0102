CREATE UNIQUE INDEX audit_event_by_writer ON audit_event (writer, writer_seq);
