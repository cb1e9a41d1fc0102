CREATE INDEX guest_to_look_at ON guest (guest_id) WHERE lapsing_state = 2;
